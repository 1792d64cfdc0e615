#include "edge/page_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

class PageFileTest : public testing::Test {
 protected:
  PageFileTest() : pages(*PageFile::open(dir.path())) {}
  ~PageFileTest() override { std::filesystem::remove(pages.path()); }
  TempDir dir;
  PageFile pages;

  void write_worker_part(std::uint32_t index, const WorkerPart &part) {
    const auto offset = static_cast<off_t>(index * kSlotSize + offsetof(Page, worker));
    ASSERT_EQ(::pwrite(pages.fd(), &part, sizeof part, offset), static_cast<ssize_t>(sizeof part));
  }
};

TEST_F(PageFileTest, IsPrivateAndNamedByTheStateFolder) {
  struct stat status {};
  ASSERT_EQ(::stat(pages.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(PageFile::open(dir.path() + "/../" + std::filesystem::path(dir.path()).filename().string())->path(),
            pages.path());
  const TempDir other;
  const auto others = PageFile::open(other.path());
  EXPECT_NE(others->path(), pages.path());
  std::filesystem::remove(others->path());
}

TEST_F(PageFileTest, IsGoneWhenItWasRemoved) {
  pages.remove();
  EXPECT_FALSE(std::filesystem::exists(pages.path()));
}

// What is there cannot be ours: as root a file of another user, else a folder.
void take_name(const std::string &path) {
  if (::geteuid() != 0) {
    ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
    return;
  }
  ASSERT_GE(UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)).get(), 0);
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
}

TEST_F(PageFileTest, GetsANumberWhereSomebodyElseHasItsName) {
  pages.remove();
  take_name(pages.path());
  PageFile other = *PageFile::open(dir.path());
  EXPECT_NE(other.path(), pages.path());
  EXPECT_FALSE(other.is_left_over());
  ASSERT_TRUE(other.allocate());
  EXPECT_EQ(PageFile::open(dir.path())->path(), other.path());
  EXPECT_TRUE(PageFile::open(dir.path())->is_left_over());
  std::filesystem::remove(pages.path());  // what a host has left is found when the names before it are free again
  EXPECT_EQ(PageFile::open(dir.path())->path(), other.path());
  other.remove();
}

TEST_F(PageFileTest, SaysWhatToRemoveWhenAllItsNamesAreSomebodyElses) {
  pages.remove();
  std::vector<std::string> taken;
  auto next = PageFile::open(dir.path());
  for (; next && taken.size() < 50; next = PageFile::open(dir.path())) {
    next->remove();
    taken.push_back(next->path());
    take_name(taken.back());
  }
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().hint, "remove " + taken.back());
  for (const std::string &path : taken) std::filesystem::remove(path);
}

TEST_F(PageFileTest, GivesEachWorkerAPageOfItsOwnAndUsesItAgain) {
  const std::uint32_t first = *pages.allocate();
  const std::uint32_t second = *pages.allocate();
  EXPECT_NE(first, second);
  WorkerPart part;
  part.begun = 42;
  write_worker_part(first, part);
  EXPECT_EQ(pages.read(first).begun, 42);
  EXPECT_EQ(pages.read(second).begun, -1);
  pages.release(first);
  EXPECT_EQ(*pages.allocate(), first);
  EXPECT_EQ(pages.read(first).begun, -1) << "nothing of the former worker is left";
}

TEST_F(PageFileTest, WhatAHostLeavesThatDidNotRemoveItIsFoundOnceByTheNext) {
  HostPart host;
  host.go = 1;
  host.job = 17;
  const std::uint32_t index = *pages.allocate(host);
  (void)*pages.allocate();  // never let go
  WorkerPart part;
  part.layout = kPageLayout;
  part.begun = 42;
  write_worker_part(index, part);
  PageFile next = *PageFile::open(dir.path());
  const std::vector<Page> former = next.take_former();
  ASSERT_EQ(former.size(), 1U);
  EXPECT_EQ(former[0].host.job, 17U);
  EXPECT_EQ(former[0].worker.begun, 42);
  EXPECT_TRUE(next.take_former().empty());
  EXPECT_TRUE(PageFile::open(dir.path())->take_former().empty());
}

TEST_F(PageFileTest, APageThatWasReleasedIsNoneThatAHostHasLeft) {
  HostPart host;
  host.go = 1;
  pages.release(*pages.allocate(host));
  EXPECT_TRUE(PageFile::open(dir.path())->take_former().empty());
}

TEST_F(PageFileTest, LeavesTheWorkersPartAloneWhenTheHostWrites) {
  const std::uint32_t index = *pages.allocate();
  WorkerPart part;
  part.at = 7;
  write_worker_part(index, part);
  HostPart host;
  host.stop = 2;
  pages.write(index, host);
  EXPECT_EQ(pages.read(index).at, 7);
}

TEST_F(PageFileTest, ReadsAnEmptyPageWhereAWorkerCutTheFile) {
  const std::uint32_t index = *pages.allocate();
  ASSERT_EQ(::ftruncate(pages.fd(), 0), 0);
  EXPECT_EQ(pages.read(index).layout, 0U);
}

TEST_F(PageFileTest, GivesBackWhatACrashHasLeft) {
  const std::uint32_t index = *pages.allocate();
  CrashNote note;
  note.layout = kPageLayout;
  note.signal = 11;
  note.stack_size = 5;
  const auto slot = static_cast<off_t>(index * kSlotSize);
  ASSERT_GT(::pwrite(pages.fd(), &note, sizeof note, slot + static_cast<off_t>(kCrashNoteOffset)), 0);
  ASSERT_EQ(::pwrite(pages.fd(), "stack", 5, slot + static_cast<off_t>(kCrashStackOffset)), 5);
  ASSERT_TRUE(pages.read_crash(index, 11));
  EXPECT_EQ(pages.read_crash(index, 11)->stack, "stack");
  EXPECT_FALSE(pages.read_crash(index, 6));

  PageFile next = *PageFile::open(dir.path());  // of a host after this one has died
  EXPECT_EQ(*next.allocate(), index);
  EXPECT_FALSE(next.read_crash(index, 11));

  ASSERT_GT(::pwrite(pages.fd(), &note, sizeof note, slot + static_cast<off_t>(kCrashNoteOffset)), 0);
  pages.release(index);
  EXPECT_FALSE(pages.read_crash(index, 11));
}

}  // namespace
}  // namespace hostler
