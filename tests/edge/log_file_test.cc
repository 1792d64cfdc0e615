#include "edge/log_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "log_text_files.h"
#include "temp_dir.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

void add_lines(LogFile &file, int first, int last) {
  for (int i = first; i <= last; ++i) file.add_line("", fmt::format("{:09}", i));
  file.flush();
}

TEST(LogFile, FullFileIsRenamedAndTheOldestGoes) {
  const TempDir dir;
  LogFile file(dir.path("a.log"), {30, 2});
  add_lines(file, 1, 8);
  EXPECT_EQ(lines_of(dir.path("a.log")), (Lines{"000000007", "000000008"}));
  EXPECT_EQ(lines_of(dir.path("a.log.1")), (Lines{"000000004", "000000005", "000000006"}));
  EXPECT_EQ(lines_of(dir.path("a.log.2")), (Lines{"000000001", "000000002", "000000003"}));
  add_lines(file, 9, 10);
  EXPECT_EQ(lines_of(dir.path("a.log.2")), (Lines{"000000004", "000000005", "000000006"}));
  EXPECT_FALSE(fs::exists(dir.path("a.log.3")));
}

TEST(LogFile, FifoThatNobodyReadsIsNotWaitedFor) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo(dir.path("a.log").c_str(), 0600), 0);
  EXPECT_FALSE(LogFile(dir.path("a.log"), {30, 2}).open());
}

TEST(LogFile, WhatAFormerHostLeftCounts) {
  const TempDir dir;
  add_lines(*std::make_unique<LogFile>(dir.path("a.log"), LogConfig{30, 2}), 1, 2);
  LogFile file(dir.path("a.log"), {30, 2});
  add_lines(file, 3, 4);
  EXPECT_EQ(lines_of(dir.path("a.log")), Lines{"000000004"});
  EXPECT_EQ(lines_of(dir.path("a.log.1")).size(), 3U);
}

TEST(LogFile, LineLongerThanAFileHasOneOfItsOwn) {
  const TempDir dir;
  LogFile file(dir.path("a.log"), {30, 4});
  file.add_line("", "before");
  file.add_line("", std::string(100, 'x'));
  file.add_line("", "after");
  file.flush();
  EXPECT_EQ(lines_of(dir.path("a.log.2")), Lines{"before"});
  EXPECT_EQ(lines_of(dir.path("a.log.1")), Lines{std::string(100, 'x')});
  EXPECT_EQ(lines_of(dir.path("a.log")), Lines{"after"});
}

TEST(LogFile, FewerAreKeptWhenTheLimitSaysSo) {
  const TempDir dir;
  LogFile file(dir.path("a.log"), {10, 5});
  add_lines(file, 1, 6);
  EXPECT_TRUE(fs::exists(dir.path("a.log.5")));
  file.set_limits({10, 2});
  add_lines(file, 7, 7);
  EXPECT_EQ(lines_of(dir.path("a.log.2")), Lines{"000000005"});
  EXPECT_FALSE(fs::exists(dir.path("a.log.3")));
  EXPECT_FALSE(fs::exists(dir.path("a.log.5")));
  file.set_limits({10, 0});
  add_lines(file, 8, 8);
  EXPECT_EQ(lines_of(dir.path("a.log")), Lines{"000000008"});
  EXPECT_FALSE(fs::exists(dir.path("a.log.1")));
}

TEST(LogFile, FileThatSomebodyRenamedIsNotRenamedAgain) {
  const TempDir dir;
  LogFile file(dir.path("a.log"), {30, 2});
  add_lines(file, 1, 3);
  fs::rename(dir.path("a.log"), dir.path("mine"));
  write_file(dir.path("a.log"), "theirs\n");
  add_lines(file, 4, 4);
  EXPECT_EQ(lines_of(dir.path("mine")).size(), 3U);
  EXPECT_EQ(lines_of(dir.path("a.log")), (Lines{"theirs", "000000004"}));
  EXPECT_FALSE(fs::exists(dir.path("a.log.1")));
}

TEST(LogFile, FileThatSomebodyTruncatedIsNotFull) {
  const TempDir dir;
  LogFile file(dir.path("a.log"), {30, 2});
  add_lines(file, 1, 3);
  fs::resize_file(dir.path("a.log"), 0);
  add_lines(file, 4, 4);
  EXPECT_EQ(lines_of(dir.path("a.log")), Lines{"000000004"});
  EXPECT_FALSE(fs::exists(dir.path("a.log.1")));
}

TEST(LogFile, FileThatCannotBeRenamedGrowsOnAndLosesNothing) {
  const TempDir dir;
  fs::create_directory(dir.path("a.log.1"));
  LogFile file(dir.path("a.log"), {30, 1});
  add_lines(file, 1, 8);
  EXPECT_EQ(lines_of(dir.path("a.log")).size(), 8U);
  EXPECT_EQ(file.rotation_error(), EISDIR);
  EXPECT_EQ(file.dropped(), 0);
  fs::remove(dir.path("a.log.1"));
  add_lines(file, 9, 12);
  EXPECT_EQ(file.rotation_error(), 0);
  EXPECT_EQ(lines_of(dir.path("a.log.1")).size() + lines_of(dir.path("a.log")).size(), 12U);
}

// A full disk, by way of the limit on the size of files.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk &) = delete;
  FullDisk &operator=(const FullDisk &) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};

// A file system of its own, and a small one.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string &path) : path_(path) {
    fs::create_directory(path);
    error_ = ::mount("hostler-test", path.c_str(), "tmpfs", 0, "size=64k") == 0 ? 0 : errno;
  }
  SmallDisk(const SmallDisk &) = delete;
  SmallDisk &operator=(const SmallDisk &) = delete;
  ~SmallDisk() {
    if (error_ == 0) ::umount2(path_.c_str(), MNT_DETACH);
  }
  [[nodiscard]] int error() const { return error_; }

 private:
  std::string path_;
  int error_ = 0;
};

TEST(LogFile, DiskThatIsReallyFullTearsNoLineAndLosesNoneUncounted) {
  const TempDir dir;
  const SmallDisk disk(dir.path("disk"));
  if (disk.error() != 0) GTEST_SKIP() << "no file system can be mounted here: " << std::strerror(disk.error());
  const std::string ballast = dir.path("disk/ballast");
  write_file(ballast, std::string(40'000, 'b'));
  LogFile file(dir.path("disk/a.log"));
  constexpr int kLines = 5000;
  for (int i = 0; i < kLines; i += 100) add_lines(file, i, i + 99);
  EXPECT_EQ(file.error(), ENOSPC);
  const std::int64_t dropped = file.dropped();
  EXPECT_GT(dropped, 0);
  fs::remove(ballast);
  file.flush();
  EXPECT_EQ(file.dropped(), 0);
  Lines lines = lines_of(dir.path("disk/a.log"));
  ASSERT_EQ(lines.size(), static_cast<std::size_t>(kLines - dropped + 1));
  EXPECT_NE(lines.back().find(fmt::format("{} lines were dropped: No space left on device", dropped)),
            std::string::npos)
      << lines.back();
  lines.pop_back();
  for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], fmt::format("{:09}", i));
}

TEST(LogFile, WhatAFullDiskLosesIsCountedAndSaidLater) {
  const TempDir dir;
  LogFile file(dir.path("a.log"));
  {
    const FullDisk full(10);
    file.add_line("", "123456");
    file.add_line("", "abcdef");  // cut after "abc", which is taken back
    file.add_line("", "lost");
    file.flush();
    EXPECT_EQ(file.dropped(), 2);
    file.add_line("", "lost too");
    file.flush();
    EXPECT_EQ(file.dropped(), 3);
    EXPECT_EQ(file.error(), EFBIG);
  }
  file.add_line("", "again");
  file.flush();
  EXPECT_EQ(file.dropped(), 0);
  EXPECT_EQ(file.error(), 0);
  const auto lines = lines_of(dir.path("a.log"));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "123456");
  EXPECT_NE(lines[1].find("3 lines were dropped: File too large"), std::string::npos) << lines[1];
  EXPECT_EQ(lines[2], "again");
}

}  // namespace
}  // namespace hostler
