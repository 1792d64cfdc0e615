// Which crashes are looked into, and what the others are told; the symboliser is a script that finds a frame in all.
#include "edge/crash_reporter.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <csignal>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

class CrashReporterTest : public testing::Test {
 protected:
  TempDir dir;
  EventLoop loop;
  CrashReporter reporter{loop, dir.path(), symboliser(), std::chrono::hours(1)};
  std::map<WorkerId, Backtrace> told;
  WorkerId last = 0;

  std::string symboliser() const {
    std::string path = dir.path("symboliser");
    std::ofstream(path) << "#!/bin/sh\n"
                           "cat >/dev/null\n"
                           "printf 'file\\t%s\\nframe\\t1\\t2\\t0\\t12\\t/p/act.so\\tdo_it\\tact.c\\n' \"$1\"\n";
    ::chmod(path.c_str(), 0700);
    return path;
  }
  // A worker of the entry crashes at this address of its plugin.
  WorkerId crash(const std::string &entry, std::uint64_t pc = 0x9123) {
    CrashCapture capture;
    capture.note.layout = kPageLayout;
    capture.note.signal = SIGSEGV;
    capture.note.pc = pc;
    capture.modules = "8000-9000 r--p 00000000 fd:01 18    /p/act.so\n9000-a000 r-xp 00001000 fd:01 18    /p/act.so\n";
    capture.note.modules_size = static_cast<std::uint32_t>(capture.modules.size());
    const WorkerId worker = ++last;
    reporter.keep(worker, 100 + static_cast<int>(worker), capture);
    reporter.investigate(worker, entry, "it crashed\n",
                         [this](WorkerId who, const Backtrace &backtrace) { told.emplace(who, backtrace); });
    return worker;
  }
  void until_all_are_told() {
    EventLoop::Timer look(loop);
    const std::function<void()> check = [&] {
      if (told.size() == last) return loop.stop();
      look.set(EventLoop::now() + std::chrono::milliseconds(1), check);
    };
    look.set(EventLoop::now(), check);
    loop.run();
  }
  [[nodiscard]] std::set<std::string> files() const {
    std::set<std::string> files;
    for (const auto &[worker, backtrace] : told) files.insert(backtrace.file);
    return files;
  }
};

TEST_F(CrashReporterTest, EveryEntryOfManyThatCrashAtOnceIsTold) {
  for (int i = 0; i < 40; ++i) crash("entry" + std::to_string(i));
  until_all_are_told();
  for (const auto &[worker, backtrace] : told) EXPECT_EQ(backtrace.frames.size(), 1U) << backtrace.problem;
  EXPECT_EQ(files().size(), 40U);
}

TEST_F(CrashReporterTest, APlaceThatIsKnownIsLookedIntoAFewTimesAMinuteAndToldEveryTime) {
  for (int i = 0; i < 30; ++i) {
    crash("entry");
    until_all_are_told();
  }
  EXPECT_EQ(files().size(), 10U);
  for (const auto &[worker, backtrace] : told) {
    EXPECT_EQ(backtrace.frames.size(), 1U) << worker;
    EXPECT_EQ(backtrace.repeated, worker > 10) << worker;
  }
  EXPECT_EQ(told[30].file, told[10].file);
  // What has not been seen yet is looked into.
  const WorkerId other = crash("entry", 0x9200);
  until_all_are_told();
  EXPECT_FALSE(told[other].repeated);
  EXPECT_NE(told[other].file, told[10].file);
  // And so is another entry.
  const WorkerId neighbour = crash("neighbour");
  until_all_are_told();
  EXPECT_FALSE(told[neighbour].repeated);
}

TEST_F(CrashReporterTest, CrashesOfOnePlaceWhileItIsLookedIntoAreOneReport) {
  for (int i = 0; i < 12; ++i) crash("entry");
  until_all_are_told();
  EXPECT_EQ(files().size(), 1U);
  for (const auto &[worker, backtrace] : told) {
    EXPECT_EQ(backtrace.frames.size(), 1U) << worker;
    EXPECT_EQ(backtrace.repeated, worker != 1) << worker;
  }
}

TEST_F(CrashReporterTest, TheNewestOfAnEntryTakeThePlaceOfTheOldestThatWait) {
  for (unsigned i = 0; i < 20; ++i) crash("entry", 0x9100 + i);
  crash("neighbour");
  until_all_are_told();
  for (const auto &[worker, backtrace] : told) {
    const bool in_time = worker == 1 || worker > 16;
    EXPECT_EQ(backtrace.frames.size(), in_time ? 1U : 0U) << worker;
    EXPECT_EQ(backtrace.problem, in_time ? "" : "no backtrace: too many crashes at once") << worker;
  }
}

TEST_F(CrashReporterTest, AWorkerThatLeftNothingIsToldSo) {
  const WorkerId worker = ++last;
  reporter.investigate(worker, "entry", "",
                       [this](WorkerId who, const Backtrace &backtrace) { told.emplace(who, backtrace); });
  EXPECT_TRUE(told.empty());
  until_all_are_told();
  EXPECT_EQ(told[worker], Backtrace{});
}

}  // namespace
}  // namespace hostler
