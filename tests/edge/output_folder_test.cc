#include "edge/output_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/stored_jobs.h"
#include "edge/temp_dir.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

Result<bool> nothing(const OutputPlace &, std::string_view) {
  return false;
}

// Every file below a folder, as relative paths.
std::set<std::string> files_in(const std::string &folder) {
  std::set<std::string> files;
  for (const auto &entry : fs::recursive_directory_iterator(folder))
    if (!entry.is_directory()) files.insert(fs::relative(entry.path(), folder));
  return files;
}

class OutputFolderTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(folder_.create()); }
  const TempDir dir_;
  const std::string out_ = dir_.path("deep/out");
  OutputFolder folder_{out_};
};

TEST_F(OutputFolderTest, PartsSortInTheOrderOfTheirSlices) {
  EXPECT_EQ(part_folder(3, 16777216), "000003-0000000000016777216");
  EXPECT_LT(part_folder(3, 999), part_folder(3, 1000));
  EXPECT_LT(part_folder(9, INT64_MAX), part_folder(10, 0));
  EXPECT_EQ(*parse_part_folder(part_folder(999'999, INT64_MAX)), (OutputPlace{false, 999'999, INT64_MAX}));
  for (const char *wrong : {"", "3-5", "000003", "000003-000000000001677721x", "-00003-0000000000016777216", "a-b"})
    EXPECT_FALSE(parse_part_folder(wrong)) << wrong;
}

TEST_F(OutputFolderTest, NamesAreOneComponentAndNoneOfOurs) {
  for (const char *good : {"a", "words.tsv", "..a", "x y", "_SUCCESS.txt"})
    EXPECT_TRUE(is_output_name(good, true)) << good;
  for (const char *bad : {"", ".", "..", "a/b", "/a"}) EXPECT_FALSE(is_output_name(bad, false)) << bad;
  EXPECT_FALSE(is_output_name(std::string("a\0b", 3), false));
  EXPECT_TRUE(is_output_name(std::string(128, 'n'), false));
  EXPECT_FALSE(is_output_name(std::string(129, 'n'), false));
  for (const char *ours : {"parts", ".attempts", "manifest.json", "_SUCCESS"}) {
    EXPECT_FALSE(is_output_name(ours, true)) << ours;
    EXPECT_TRUE(is_output_name(ours, false)) << ours;
  }
}

TEST_F(OutputFolderTest, FilesOfASliceMoveToTheirPlace) {
  const MoveFiles move = attempt("job", out_, 20, {"a", "b"});
  ASSERT_TRUE(folder_.check_attempt(move));
  ASSERT_TRUE(folder_.place(move));
  ASSERT_TRUE(folder_.sync());
  folder_.drop_attempt(move.attempt_dir);
  EXPECT_EQ(read_file(part_path(out_, 20, "a")), "text");
  EXPECT_EQ(read_file(part_path(out_, 20, "b")), "text");
  EXPECT_FALSE(fs::exists(move.attempt_dir));
}

TEST_F(OutputFolderTest, TheMergesFilesLieAtTheTop) {
  MoveFiles move = attempt("job", out_, 0, {"all.tsv"});
  move.merge = true;
  ASSERT_TRUE(folder_.place(move));
  ASSERT_TRUE(folder_.sync());
  EXPECT_EQ(read_file(out_ + "/all.tsv"), "text");
}

TEST_F(OutputFolderTest, MovingIsFinishedWhereverItWasInterrupted) {
  const MoveFiles move = attempt("job", out_, 20, {"a", "b", "c"});
  fs::create_directories(out_ + "/parts/" + part_folder(0, 20));
  fs::rename(move.attempt_dir + "/a", part_path(out_, 20, "a"));
  ASSERT_TRUE(folder_.place(move));
  ASSERT_TRUE(folder_.place(move));
  folder_.drop_attempt(move.attempt_dir);
  ASSERT_TRUE(folder_.place(move));
  fs::remove(out_ + "/.attempts");
  ASSERT_TRUE(folder_.place(move));
  EXPECT_EQ(files_in(out_ + "/parts").size(), 3U);
}

TEST_F(OutputFolderTest, AFileThatIsNowhereIsAnErrorThatDoesNotPass) {
  const MoveFiles move = attempt("job", out_, 20, {"a", "b"});
  fs::remove(move.attempt_dir + "/b");
  EXPECT_FALSE(folder_.check_attempt(move));
  const MoveResult placed = folder_.place(move);
  ASSERT_FALSE(placed);
  EXPECT_FALSE(placed.error().may_pass());
  EXPECT_NE(placed.error().error.text().find("/b: is gone"), std::string::npos);
}

TEST_F(OutputFolderTest, OnlyRegularFilesAreMovedAndNoLinkIsFollowed) {
  write_file(dir_.path("secret"), "secret");
  const MoveFiles link = attempt("job", out_, 0, {});
  ::symlink(dir_.path("secret").c_str(), (link.attempt_dir + "/a").c_str());
  ::mkfifo((link.attempt_dir + "/pipe").c_str(), 0600);
  fs::create_directory(link.attempt_dir + "/folder");
  for (const char *name : {"a", "pipe", "folder"}) {
    MoveFiles move = link;
    move.files = {name};
    EXPECT_FALSE(folder_.check_attempt(move)) << name;
    EXPECT_FALSE(folder_.place(move)) << name;
  }
  EXPECT_TRUE(files_in(out_ + "/parts").empty());
}

TEST_F(OutputFolderTest, AnAttemptThatIsALinkElsewhereIsNotEntered) {
  write_file(dir_.path("a"), "secret");
  const std::string link = out_ + "/.attempts/0-0.1";
  ::symlink(dir_.path().c_str(), link.c_str());
  const MoveFiles move{"job", {0, 10}, 0, 0, 10, false, link, {"a"}};
  EXPECT_FALSE(folder_.check_attempt(move));
  EXPECT_FALSE(folder_.place(move));
  folder_.drop_attempt(link);
  EXPECT_EQ(read_file(dir_.path("a")), "secret");
  EXPECT_FALSE(fs::is_symlink(link));
}

TEST_F(OutputFolderTest, AnAttemptMustLieAmongTheAttempts) {
  EXPECT_EQ(folder_.attempt_name(out_ + "/.attempts/3-16777216.17"), "3-16777216.17");
  for (const std::string &wrong :
       {std::string("/etc"), out_, out_ + "/.attempts", out_ + "/.attempts/", out_ + "/.attempts/..",
        out_ + "/.attempts/a/b", out_ + "/.attempts/../../x", std::string()}) {
    EXPECT_EQ(folder_.attempt_name(wrong), "") << wrong;
    EXPECT_FALSE(folder_.check_attempt({"job", {0, 10}, 0, 0, 10, false, wrong, {"a"}})) << wrong;
  }
}

TEST_F(OutputFolderTest, NamesThatLeaveTheFolderAreRefused) {
  write_file(dir_.path("x"), "x");
  for (const std::string &name : {std::string("../x"), std::string(".."), std::string("a/b"), std::string(129, 'n')}) {
    const MoveFiles move = attempt("job", out_, 0, {});
    MoveFiles bad = move;
    bad.files = {name};
    EXPECT_FALSE(folder_.check_attempt(bad)) << name;
    EXPECT_FALSE(folder_.place(bad)) << name;
  }
}

TEST_F(OutputFolderTest, StaleAttemptsAreClearedButThoseStillNeeded) {
  attempt("job", out_, 10, {"a"});
  attempt("job", out_, 20, {"a"});
  fs::create_directories(out_ + "/.attempts/0-30.9/deep/er");
  EXPECT_TRUE(folder_.clear_attempts({"0-20.7"}));
  EXPECT_EQ(files_in(out_), std::set<std::string>{".attempts/0-20.7/a"});
  EXPECT_TRUE(OutputFolder(dir_.path("nowhere")).clear_attempts({}));
}

TEST_F(OutputFolderTest, AFolderWithForeignFilesIsRefused) {
  EXPECT_TRUE(OutputFolder(dir_.path("nowhere")).check(nothing, true));
  EXPECT_TRUE(folder_.check(nothing, true));
  attempt("job", out_, 10, {"a"});
  EXPECT_TRUE(folder_.check(nothing, true));
  write_file(out_ + "/thesis.txt", "x");
  const MoveResult refused = folder_.check(nothing, true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.text(),
            out_ + ": holds thesis.txt, which is not of this job (empty the folder, or choose another output:)");
}

TEST_F(OutputFolderTest, ForeignThingsAreFoundWhereverTheyLie) {
  const auto check_and_remove = [&](const std::string &path) {
    const MoveResult refused = folder_.check(nothing, true);
    EXPECT_FALSE(refused) << path;
    fs::remove_all(path);
    EXPECT_TRUE(folder_.check(nothing, true)) << path;
  };
  fs::create_directories(out_ + "/other");
  check_and_remove(out_ + "/other");
  ::symlink("/etc/passwd", (out_ + "/link").c_str());
  check_and_remove(out_ + "/link");
  fs::create_directories(out_ + "/parts/mine");
  check_and_remove(out_ + "/parts/mine");
  fs::create_directories(out_ + "/parts/" + part_folder(0, 0));
  EXPECT_TRUE(folder_.check(nothing, true));
  write_file(part_path(out_, 0, "a"), "x");
  check_and_remove(part_path(out_, 0, "a"));
  fs::remove_all(out_ + "/parts");
  ::symlink("/etc", (out_ + "/parts").c_str());
  check_and_remove(out_ + "/parts");
}

TEST_F(OutputFolderTest, AttemptsAreForeignWhereWeHaveNotWorkedAndOtherNamesAreAlways) {
  attempt("job", out_, 10, {"a"});
  EXPECT_TRUE(folder_.check(nothing, true));
  const MoveResult refused = folder_.check(nothing, false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().error.what.find("holds .attempts/0-10.7, which is not of this job"), std::string::npos);
  fs::remove_all(out_ + "/.attempts");
  fs::create_directories(out_ + "/.attempts/0");
  EXPECT_FALSE(folder_.check(nothing, true));
  fs::remove_all(out_ + "/.attempts");
  ::symlink("/etc", (out_ + "/.attempts").c_str());
  EXPECT_FALSE(folder_.check(nothing, true));
}

TEST_F(OutputFolderTest, OnlyWhatHasAnAttemptsNameIsCleared) {
  attempt("job", out_, 10, {"a"});
  write_file(out_ + "/.attempts/manifest.json", "half");
  fs::create_directories(out_ + "/.attempts/0");
  write_file(out_ + "/.attempts/0/mine", "x");
  write_file(out_ + "/.attempts/precious", "x");
  EXPECT_TRUE(folder_.clear_attempts({}));
  EXPECT_EQ(files_in(out_), (std::set<std::string>{".attempts/0/mine", ".attempts/precious"}));
  folder_.drop_attempt(out_ + "/.attempts/precious");
  EXPECT_TRUE(fs::exists(out_ + "/.attempts/precious"));
}

TEST_F(OutputFolderTest, ALockedFolderIsRefusedToOthersUntilTheLockIsGone) {
  const OutputFolder other(out_);
  {
    const DiskResult<OutputLock> lock = folder_.lock();
    ASSERT_TRUE(lock);
    const DiskResult<OutputLock> refused = other.lock();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().error.what.find("in use by another host"), std::string::npos);
  }
  EXPECT_TRUE(other.lock());
}

// No descriptor can be opened while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd lowest(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors &) = delete;
  NoDescriptors &operator=(const NoDescriptors &) = delete;

 private:
  rlimit before_{};
};

TEST_F(OutputFolderTest, WantOfDescriptorsIsNoVerdict) {
  const MoveFiles move = attempt("job", out_, 20, {"a"});
  {
    const NoDescriptors none;
    for (const MoveResult &result : {folder_.check_attempt(move), folder_.place(move), folder_.check(nothing, true),
                                     folder_.remove_file("a"), folder_.lock().map([](const OutputLock &) {})}) {
      ASSERT_FALSE(result);
      EXPECT_TRUE(result.error().may_pass()) << result.error().error.text();
    }
  }
  EXPECT_TRUE(folder_.check_attempt(move));
  EXPECT_TRUE(folder_.place(move));
  EXPECT_EQ(files_in(out_), std::set<std::string>{"parts/" + part_folder(0, 20) + "/a"});
}

TEST_F(OutputFolderTest, WhatIsNotThereIsRefusedForGood) {
  MoveFiles move = attempt("job", out_, 20, {"a"});
  move.files = {"b"};
  const MoveResult refused = folder_.check_attempt(move);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().may_pass());
}

TEST_F(OutputFolderTest, TheEndIsNotToldOverAMissingFile) {
  ASSERT_TRUE(folder_.place(attempt("job", out_, 20, {"a", "b"})));
  fs::remove(part_path(out_, 20, "b"));
  const auto list = [](const OutputFolder::TakeFile &take) {
    const Result<void> first = take({false, 0, 20}, "a");
    return first ? take({false, 0, 20}, "b") : first;
  };
  const MoveResult finished = folder_.finish({"job", "id-1", JobState::Succeeded, {}}, list);
  ASSERT_FALSE(finished);
  EXPECT_FALSE(finished.error().may_pass());
  EXPECT_EQ(finished.error().error.text(), part_path(out_, 20, "b") + ": was committed and is no longer there");
  EXPECT_FALSE(fs::exists(out_ + "/_SUCCESS"));
  EXPECT_FALSE(fs::exists(out_ + "/manifest.json"));
}

TEST_F(OutputFolderTest, OurOwnFilesAreNotForeign) {
  ASSERT_TRUE(folder_.place(attempt("job", out_, 20, {"a"})));
  write_file(out_ + "/_SUCCESS", "");
  std::set<std::string> asked;
  EXPECT_TRUE(folder_.check(
      [&](const OutputPlace &place, std::string_view name) -> Result<bool> {
        asked.insert(output_path(place, name));
        return true;
      },
      true));
  EXPECT_EQ(asked, (std::set<std::string>{"_SUCCESS", output_path({false, 0, 20}, "a")}));
}

TEST_F(OutputFolderTest, RemovingTakesOneFileAndTheFoldersItLeavesEmpty) {
  ASSERT_TRUE(folder_.place(attempt("job", out_, 20, {"a", "b"})));
  write_file(out_ + "/all", "x");
  fs::create_directory(out_ + "/folder");
  EXPECT_TRUE(folder_.remove_file("all"));
  EXPECT_TRUE(folder_.remove_file("all"));
  EXPECT_TRUE(folder_.remove_file("folder"));
  EXPECT_TRUE(fs::exists(out_ + "/folder"));
  EXPECT_TRUE(folder_.remove_file(output_path({false, 0, 20}, "a")));
  EXPECT_TRUE(fs::exists(part_path(out_, 20, "b")));
  EXPECT_TRUE(folder_.remove_file(output_path({false, 0, 20}, "b")));
  EXPECT_FALSE(fs::exists(out_ + "/parts"));
  EXPECT_TRUE(OutputFolder(dir_.path("nowhere")).remove_file("x"));
}

TEST_F(OutputFolderTest, TheEndIsToldByManifestAndSuccess) {
  ASSERT_TRUE(folder_.place(attempt("job", out_, 20, {"a \"1\""}, "12345")));
  const auto list = [](const OutputFolder::TakeFile &take) { return take({false, 0, 20}, "a \"1\""); };
  ASSERT_TRUE(folder_.finish({"job", "id-1", JobState::Succeeded, {{"n", 7}, {"m", -1}}}, list));
  EXPECT_EQ(read_file(out_ + "/manifest.json"),
            "{\"job\": \"job\", \"id\": \"id-1\", \"state\": \"succeeded\",\n\"counters\": {\"m\": -1, \"n\": 7},\n"
            "\"files\": [\n{\"path\": \"parts/000000-0000000000000000020/a \\\"1\\\"\", \"bytes\": 5}\n]}\n");
  EXPECT_TRUE(fs::exists(out_ + "/_SUCCESS"));
  EXPECT_FALSE(fs::exists(out_ + "/.attempts"));
  ASSERT_TRUE(folder_.finish({"job", "id-1", JobState::Succeeded, {}}, list));
}

TEST_F(OutputFolderTest, APartialJobGetsNoSuccess) {
  ASSERT_TRUE(folder_.finish({"job", "id-1", JobState::Partial, {}}, [](const auto &) { return Result<void>{}; }));
  EXPECT_TRUE(fs::exists(out_ + "/manifest.json"));
  EXPECT_FALSE(fs::exists(out_ + "/_SUCCESS"));
}

}  // namespace
}  // namespace hostler
