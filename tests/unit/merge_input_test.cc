#include "core/merge_input.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

MergeRange range(std::int32_t input, std::int64_t begin, std::int64_t end) {
  MergeRange made;
  made.input = input;
  made.begin = begin;
  made.end = end;
  return made;
}

std::string sample() {
  std::string file;
  MergeInputWriter writer([&](std::string_view bytes) -> Result<void> {
    file.append(bytes);
    return {};
  });
  MergeRange full = range(0, 0, 100);
  full.result = std::string_view("a\0b", 3);
  full.files = {"/out/parts/x/one", "/out/parts/x/two"};
  MergeRange empty = range(0, 100, 200);
  empty.result = "";
  MergeRange bad = range(2, 50, 60);
  bad.reason = "killed by SIGSEGV";
  EXPECT_TRUE(writer.committed(full));
  EXPECT_TRUE(writer.committed(empty));
  EXPECT_TRUE(writer.committed(range(1, 0, std::int64_t{1} << 40)));
  EXPECT_TRUE(writer.quarantined(bad));
  EXPECT_TRUE(writer.counter("lines", -7));
  EXPECT_TRUE(writer.counter("words", std::int64_t{1} << 50));
  EXPECT_TRUE(writer.finish());
  return file;
}

TEST(MergeInput, WhatIsWrittenIsRead) {
  const std::string file = sample();
  Result<MergeInputReader> reader = MergeInputReader::open(file);
  ASSERT_TRUE(reader);
  const MergeRange first = **reader->next_committed();
  EXPECT_EQ(first.input, 0);
  EXPECT_EQ(first.end, 100);
  EXPECT_EQ(*first.result, std::string_view("a\0b", 3));
  ASSERT_EQ(first.files.size(), 2U);
  EXPECT_STREQ(first.files[1], "/out/parts/x/two");
  EXPECT_EQ(first.reason, nullptr);
  EXPECT_EQ((*reader->next_committed())->result, "");
  const MergeRange third = **reader->next_committed();
  EXPECT_FALSE(third.result);
  EXPECT_EQ(third.end, std::int64_t{1} << 40);
  EXPECT_EQ(*reader->next_committed(), std::nullopt);
  const MergeRange bad = **reader->next_quarantined();
  EXPECT_EQ(bad.input, 2);
  EXPECT_STREQ(bad.reason, "killed by SIGSEGV");
  EXPECT_EQ(*reader->next_quarantined(), std::nullopt);
  EXPECT_EQ(reader->counter("lines"), -7);
  EXPECT_EQ(reader->counter("words"), std::int64_t{1} << 50);
  EXPECT_EQ(reader->counter("never"), 0);
}

TEST(MergeInput, AJobThatLeftNothingIsAValidFile) {
  std::string file;
  MergeInputWriter writer([&](std::string_view bytes) -> Result<void> {
    file.append(bytes);
    return {};
  });
  ASSERT_TRUE(writer.finish());
  Result<MergeInputReader> reader = MergeInputReader::open(file);
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->next_committed(), std::nullopt);
  EXPECT_EQ(*reader->next_quarantined(), std::nullopt);
}

// Reads all there is; true when nothing was found wrong.
bool read_all(std::string_view file) {
  Result<MergeInputReader> reader = MergeInputReader::open(file);
  if (!reader) return false;
  for (;;) {
    const Result<std::optional<MergeRange>> next = reader->next_committed();
    if (!next) return false;
    if (!*next) break;
  }
  for (;;) {
    const Result<std::optional<MergeRange>> next = reader->next_quarantined();
    if (!next) return false;
    if (!*next) return true;
  }
}

TEST(MergeInput, AFileThatIsCutShortAnywhereIsRefused) {
  const std::string file = sample();
  EXPECT_TRUE(read_all(file));
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_FALSE(read_all(std::string(file.substr(0, size)))) << size;
}

TEST(MergeInput, ADamagedFileIsReadWithinItsBounds) {
  const std::string file = sample();
  for (std::size_t at = 0; at < file.size(); ++at)
    for (const char damage : {'\x00', '\x7f', '\xff'}) {
      std::string damaged = file;
      damaged[at] = damage;
      (void)read_all(damaged);
    }
}

TEST(MergeInput, AnErrorOfTheSinkIsPassedOn) {
  MergeInputWriter writer([](std::string_view) -> Result<void> { return fail("f", "the disk is full"); });
  EXPECT_FALSE(writer.committed({}));
  EXPECT_FALSE(writer.finish());
}

}  // namespace
}  // namespace hostler
