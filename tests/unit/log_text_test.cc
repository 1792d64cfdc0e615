#include "core/log_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hostler {
namespace {

std::vector<std::string> lines_of(const std::vector<std::string> &pieces) {
  LineAssembler assembler;
  std::vector<std::string> lines;
  const auto sink = [&](std::string_view line) { lines.emplace_back(line); };
  for (const auto &piece : pieces) assembler.feed(piece, sink);
  assembler.finish(sink);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(LogText, TimestampIsUtcWithMilliseconds) {
  EXPECT_EQ(timestamp(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(timestamp(1769860800123), "2026-01-31T12:00:00.123Z");
  EXPECT_EQ(timestamp(1709251199999), "2024-02-29T23:59:59.999Z");
}

TEST(LogText, LinesAreTheSameHoweverTheBytesArrive) {
  const std::string text = "one\n\ntwo\r\nthree";
  const Lines expected = {"one", "", "two\r", "three"};
  EXPECT_EQ(lines_of({text}), expected);
  Lines bytes;
  for (const char byte : text) bytes.emplace_back(1, byte);
  EXPECT_EQ(lines_of(bytes), expected);
}

TEST(LogText, OutputThatEndsWithANewlineHasNoEmptyLastLine) {
  EXPECT_EQ(lines_of({"one\n"}), Lines{"one"});
  EXPECT_EQ(lines_of({}), Lines{});
}

TEST(LogText, LineLongerThanTheLimitIsCutInMarkedPieces) {
  const std::string full(LineAssembler::kMaxLine, 'x');
  const std::string mark(LineAssembler::kContinues);
  EXPECT_EQ(lines_of({full + "\n"}), Lines{full});
  EXPECT_EQ(lines_of({full + full, "y\nz"}), (Lines{full + mark, full + mark, "y", "z"}));
}

}  // namespace
}  // namespace hostler
