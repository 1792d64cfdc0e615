#include "edge/log_reader.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "temp_dir.h"

namespace hostler {
namespace {

using Lines = std::vector<std::string>;

void append(const std::string &path, const std::string &text) {
  std::ofstream(path, std::ios::app) << text;
}

std::string line(int second, const std::string &label, const std::string &text) {
  return "2026-01-31T12:00:0" + std::to_string(second) + ".000Z " + label + " " + text;
}

Lines read(LogReader &reader) {
  Lines lines;
  reader.read([&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

bool has_changes(const LogReader &reader) {
  pollfd events{reader.changes_fd(), POLLIN, 0};
  return ::poll(&events, 1, 0) == 1;
}

TEST(LogReader, LinesOfAllEntriesAreMergedByTime) {
  const TempDir dir;
  const auto a1 = line(1, "a/0[10]", "one"), b2 = line(2, "b/0[11]", "two"), a3 = line(3, "a/1[12]", "three");
  append(dir.path("a.log"), a1 + "\n" + a3 + "\n");
  append(dir.path("b.log"), b2 + "\n");
  append(dir.path("a.log.old"), line(0, "a/0[10]", "not ours any more") + "\n");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), (Lines{a1, b2, a3}));
  EXPECT_EQ(read(reader), Lines{});
}

TEST(LogReader, FilterTakesOneEntryOrOneInstance) {
  const TempDir dir;
  const auto zero = line(1, "a/0[10]", "x"), one = line(2, "a/1[11]", "a/0[10] y"), ten = line(3, "a/10[12]", "z");
  append(dir.path("a.log"), zero + "\n" + one + "\n" + ten + "\n");
  append(dir.path("b.log"), line(1, "b/1[13]", "w") + "\n");
  auto entry = LogReader::open(dir.path(), {"a", {}}).value();
  EXPECT_EQ(read(entry), (Lines{zero, one, ten}));
  auto instance = LogReader::open(dir.path(), {"a", "1"}).value();
  EXPECT_EQ(read(instance), Lines{one});
  auto nobody = LogReader::open(dir.path(), {"nobody", {}}).value();
  EXPECT_FALSE(nobody.has_logs());
}

TEST(LogReader, GoesOnWhereItStoodAndWaitsForTheEndOfALine) {
  const TempDir dir;
  append(dir.path("a.log"), "one\ntw");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), Lines{"one"});
  EXPECT_FALSE(has_changes(reader));
  append(dir.path("a.log"), "o\nthree\n");
  EXPECT_TRUE(has_changes(reader));
  EXPECT_EQ(read(reader), (Lines{"two", "three"}));
}

TEST(LogReader, RenamedFileIsReadToItsEndThenTheNewOne) {
  const TempDir dir;
  append(dir.path("a.log"), "one\n");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), Lines{"one"});
  std::filesystem::rename(dir.path("a.log"), dir.path("a.log.1"));
  append(dir.path("a.log.1"), "two\n");
  append(dir.path("a.log"), "three\n");
  EXPECT_TRUE(has_changes(reader));
  EXPECT_EQ(read(reader), (Lines{"two", "three"}));
}

TEST(LogReader, RotatedFilesAreReadFromTheOldestOn) {
  const TempDir dir;
  append(dir.path("a.log.2"), line(1, "a/0[10]", "one") + "\n");
  append(dir.path("a.log.1"), line(3, "a/0[10]", "three") + "\n");
  append(dir.path("a.log"), line(4, "a/0[10]", "four") + "\n");
  append(dir.path("b.log.1"), line(2, "b/0[10]", "two") + "\n");
  EXPECT_EQ(logged_entries(dir.path()), (Lines{"a", "b"}));
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), (Lines{line(1, "a/0[10]", "one"), line(2, "b/0[10]", "two"), line(3, "a/0[10]", "three"),
                                 line(4, "a/0[10]", "four")}));
}

void rotate(const TempDir &dir, int keep) {
  std::filesystem::remove(dir.path("a.log." + std::to_string(keep)));
  for (int number = keep; number-- > 0;) {
    const std::string from = dir.path(number == 0 ? "a.log" : "a.log." + std::to_string(number));
    if (std::filesystem::exists(from)) std::filesystem::rename(from, dir.path("a.log." + std::to_string(number + 1)));
  }
}

TEST(LogReader, FollowsAcrossSeveralRotationsAtOnce) {
  const TempDir dir;
  append(dir.path("a.log"), "one\n");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), Lines{"one"});
  append(dir.path("a.log"), "two\n");
  for (const char *text : {"three\n", "four\n", "five\n"}) {
    rotate(dir, 4);
    append(dir.path("a.log"), text);
  }
  EXPECT_EQ(read(reader), (Lines{"two", "three", "four", "five"}));
  EXPECT_EQ(reader.gaps(), 0);
  append(dir.path("a.log"), "six\n");
  EXPECT_EQ(read(reader), Lines{"six"});
}

TEST(LogReader, FilesThatWereRemovedUnreadAreAGap) {
  const TempDir dir;
  append(dir.path("a.log"), "one\n");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), Lines{"one"});
  for (const char *text : {"two\n", "three\n", "four\n", "five\n"}) {
    rotate(dir, 2);
    append(dir.path("a.log"), text);
  }
  EXPECT_EQ(read(reader), (Lines{"three", "four", "five"}));
  EXPECT_EQ(reader.gaps(), 1);
}

TEST(LogReader, FileThatSomebodyRenamedIsNotFollowedByAnOlderOne) {
  const TempDir dir;
  append(dir.path("a.log.1"), "one\n");
  append(dir.path("a.log"), "two\n");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), (Lines{"one", "two"}));
  std::filesystem::rename(dir.path("a.log"), dir.path("saved"));
  EXPECT_EQ(read(reader), Lines{});
  append(dir.path("a.log"), "three\n");
  EXPECT_EQ(read(reader), Lines{"three"});
  EXPECT_EQ(reader.gaps(), 0);
}

TEST(LogReader, BeginningOfALineThatIsTakenBackIsForgotten) {
  const TempDir dir;
  append(dir.path("a.log"), "one\ntorn");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), Lines{"one"});
  std::filesystem::resize_file(dir.path("a.log"), 4);
  append(dir.path("a.log"), "whole again\n");
  EXPECT_EQ(read(reader), Lines{"whole again"});
}

TEST(LogReader, TruncatedFileIsReadFromItsStart) {
  const TempDir dir;
  append(dir.path("a.log"), "a long first line\n");
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), Lines{"a long first line"});
  std::filesystem::resize_file(dir.path("a.log"), 0);
  append(dir.path("a.log"), "new\n");
  EXPECT_EQ(read(reader), Lines{"new"});
}

TEST(LogReader, LogThatAppearsLaterIsFound) {
  const TempDir dir;
  auto reader = LogReader::open(dir.path(), {"a", {}}).value();
  EXPECT_EQ(read(reader), Lines{});
  append(dir.path("a.log"), "one\n");
  EXPECT_TRUE(has_changes(reader));
  EXPECT_EQ(read(reader), Lines{"one"});
}

TEST(LogReader, LongLinesAndManyOfThemArriveWhole) {
  const TempDir dir;
  Lines expected;
  std::string text;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i) * 1000, 'x'));
    text += expected.back() + "\n";
  }
  append(dir.path("a.log"), text);
  auto reader = LogReader::open(dir.path(), {}).value();
  EXPECT_EQ(read(reader), expected);
}

TEST(LogReader, FolderThatIsNotThereIsAnErrorThatNamesIt) {
  const auto reader = LogReader::open("/nowhere/logs", {});
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().where, "/nowhere/logs");
}

}  // namespace
}  // namespace hostler
