// Workers from fork to end: forked by a template of the real binary, with real plugins.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "core/merge_input.h"
#include "edge/fleet_harness.h"

namespace hostler {
namespace {

class Worker : public testing::Test {
 protected:
  FleetHarness h;

  FleetHarness::Seen &finish(WorkerId worker) {
    h.until_gone(worker);
    return h.seen[worker];
  }

  // A worker of a job; told its leases as soon as it is loaded, and dismissed after them.
  WorkerId work(const std::string &plugin, std::map<std::string, std::string> params, std::vector<Lease> leases) {
    Start start = h.start_of(plugin, std::move(params));
    start.job = true;
    start.job_id = "job-1";
    const WorkerId worker = h.launch(std::move(start));
    h.when_told = [this, leases = std::move(leases)](WorkerId told, const WorkerMessage &message) {
      if (!std::holds_alternative<Loaded>(message)) return;
      for (const Lease &lease : leases) h.fleet->lease(told, lease);
      h.fleet->dismiss(told);
    };
    return worker;
  }

  static Lease range(std::int64_t begin, std::int64_t end, std::int64_t slice_size) {
    Lease lease;
    lease.id = 17;
    lease.begin = begin;
    lease.end = end;
    lease.kind = InputKind::Range;
    lease.slice_size = slice_size;
    lease.plan_count = 100;
    lease.inputs = {Input{"", 1000000, 0, 0, 0}};
    lease.first_index = 0;
    return lease;
  }

  Lease file(InputKind kind, const std::string &name, const std::string &text) {
    write_file(h.dir.path(name), text);
    struct stat status {};
    EXPECT_EQ(::stat(h.dir.path(name).c_str(), &status), 0);
    Lease lease;
    lease.id = 18;
    lease.kind = kind;
    lease.end = kind == InputKind::File ? std::max<std::int64_t>(status.st_size, 1) : status.st_size;
    lease.slice_size = 8;
    lease.plan_count = 3;
    lease.inputs = {Input{h.dir.path(name), status.st_size,
                          status.st_mtim.tv_sec * std::int64_t{1000000000} + status.st_mtim.tv_nsec, status.st_dev,
                          status.st_ino}};
    return lease;
  }
};

TEST_F(Worker, ReturnsFromRunAndLeaves) {
  const auto &seen = finish(h.launch("misbehave.so"));
  EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
  EXPECT_EQ(seen.messages, std::vector<WorkerMessage>{Loaded{}});
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Returned);
  EXPECT_EQ(seen.page.returned, 0);
  EXPECT_EQ(seen.page.layout, kPageLayout);
}

TEST_F(Worker, LeavesItsVerdictAndWordsInThePage) {
  const auto &seen = finish(h.launch("misbehave.so", {{"do", "return"}, {"code", "-3"}, {"reason", "so it is"}}));
  EXPECT_EQ(seen.page.returned, -3);
  EXPECT_EQ(page_reason(seen.page), "so it is");
  EXPECT_EQ(*seen.status, (WaitStatus{false, 253, false}));
}

TEST_F(Worker, ThatDiesTellsHow) {
  EXPECT_EQ(finish(h.launch("crash.so")).status->value, SIGSEGV);
  EXPECT_EQ(finish(h.launch("misbehave.so", {{"do", "null"}})).status->value, SIGSEGV);
  EXPECT_EQ(finish(h.launch("misbehave.so", {{"do", "abort"}})).status->value, SIGABRT);
  EXPECT_EQ(finish(h.launch("misbehave.so", {{"do", "kill"}})).status->value, SIGKILL);
  const auto &seen = finish(h.launch("misbehave.so", {{"do", "exit"}, {"code", "0"}}));
  EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Running);
}

TEST_F(Worker, ThatEndsInPrepareTellsThatItWasThere) {
  const auto &seen = finish(h.launch("misbehave.so", {{"prepare", "exit"}}));
  EXPECT_EQ(*seen.status, (WaitStatus{false, 3, false}));
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Preparing);
}

TEST_F(Worker, WhosePluginClosesItsLineBeforeRunSaysSo) {
  const auto &seen = finish(h.launch("misbehave.so", {{"prepare", "close_everything"}}));
  EXPECT_EQ(seen.page.failed_before_run, 1) << "it would do so again";
  EXPECT_EQ(page_reason(seen.page), "the plugin has closed hostler's descriptor");
}

TEST_F(Worker, DiesOfAnExceptionWhereItWasThrown) {
  const auto &seen = finish(h.launch("throws.so"));
  EXPECT_TRUE(seen.status->signaled);
  EXPECT_EQ(seen.status->value, SIGABRT);
  h.until([&] { return h.log().find("nobody catches this") != std::string::npos; });
}

TEST_F(Worker, KeepsTheRulesOfTheAbiForAService) {
  Start start = h.start_of("calls.so", {{"key", "value"}});
  start.instance = 2;
  start.count = 5;
  const auto &seen = finish(h.launch(start));
  EXPECT_EQ(page_reason(seen.page), "");
  EXPECT_EQ(seen.page.returned, 0);
  EXPECT_EQ(seen.all<Ready>().size(), 1U);
  EXPECT_EQ(seen.page.ready, 1U);
  EXPECT_EQ(seen.page.at, 7);
  EXPECT_EQ(seen.page.progress_done, 1);
  EXPECT_GT(seen.page.beats, 0U);
}

TEST_F(Worker, KeepsTheRulesOfTheAbiForAJob) {
  const auto &seen = finish(work("calls.so", {{"key", "value"}}, {range(40, 50, 10)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U) << page_reason(seen.page);
  const SliceEnded ended = seen.all<SliceEnded>()[0];
  EXPECT_EQ(ended.reason, "");
  EXPECT_EQ(ended.returned, 0);
  EXPECT_TRUE(ended.claimed);
  EXPECT_EQ(ended.claimed_to, 50);
  EXPECT_EQ(ended.result, "last");
  EXPECT_EQ(ended.counters.size(), 1024U);
  EXPECT_EQ(ended.counters.at("sum"), 42);
  EXPECT_EQ(ended.skipped, (std::vector<Aside>{{42, 44, "", "bad"}}));
  EXPECT_EQ(ended.files.size(), 2U);
  EXPECT_EQ(ended.attempt_dir, h.dir.path("out/.attempts/0-40.17"));
  EXPECT_EQ(read_file(ended.attempt_dir + "/file"), "text\n");
  EXPECT_EQ(seen.all<LeaseEnded>(), std::vector<LeaseEnded>({{17, 50}}));
  EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Idle);
}

TEST_F(Worker, ThatCannotLoadItsPluginSaysWhy) {
  const auto &seen = finish(h.launch("wrong_abi.so"));
  EXPECT_EQ(seen.page.failed_before_run, 1);
  EXPECT_EQ(page_reason(seen.page),
            "wrong_abi.so: plugin speaks ABI 7.42, this host 1.0: update hostler, or build the "
            "plugin with this hostler's hostler/plugin.h");
  EXPECT_EQ(seen.status->value, 78);
  EXPECT_TRUE(seen.messages.empty());
}

TEST_F(Worker, ThatCannotBeSetUpSaysWhy) {
  Start start = h.start_of("nothing.so");
  start.cwd = "/nowhere/at/all";
  const auto &seen = finish(h.launch(start));
  EXPECT_EQ(seen.page.failed_before_run, 1);
  EXPECT_EQ(page_reason(seen.page), "cwd: cannot enter /nowhere/at/all: No such file or directory");
}

TEST_F(Worker, PreparesBeforeItRunsAndAFailureOfThatIsFinal) {
  const auto &seen = finish(h.launch("misbehave.so", {{"prepare", "78"}}));
  EXPECT_EQ(seen.page.failed_before_run, 1);
  EXPECT_EQ(page_reason(seen.page), "prepare() returned 78 (HOSTLER_BAD_CONFIG): prepare does as it is told");
  EXPECT_EQ(finish(h.launch("misbehave.so", {{"prepare", "75"}})).page.failed_before_run, 2);
}

TEST_F(Worker, IsStoppedThroughItsDescriptor) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  h.fleet->stop(worker, StopWord::Cancel, SIGTERM);
  EXPECT_EQ(*finish(worker).status, (WaitStatus{false, 0, false}));
  EXPECT_EQ(h.seen[worker].page.returned, 0);
  h.until([&] { return h.log().find("leaving") != std::string::npos; });
}

TEST_F(Worker, IsStoppedByAnySignalThatItsEntryNames) {
  Start start = h.start_of("misbehave.so", {{"do", "wait_interrupted"}});
  start.stop_signal = SIGUSR1;
  const WorkerId worker = h.launch(start);
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  ::kill(*h.seen[worker].pid, SIGUSR1);  // somebody else's, without a word in the page
  EXPECT_EQ(*finish(worker).status, (WaitStatus{false, 0, false}));
}

TEST_F(Worker, ThatIgnoresItsStopIsKilled) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "ignore_stop"}});
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  h.fleet->stop(worker, StopWord::Cancel, SIGTERM);
  h.fleet->kill(worker);
  EXPECT_EQ(*finish(worker).status, (WaitStatus{true, SIGKILL, false}));
}

TEST_F(Worker, LetsAForkThatReturnsFromRunLeaveNoTrace) {
  const auto &seen = finish(work("misbehave.so", {{"do", "fork_and_return"}}, {range(0, 10, 10)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(seen.all<SliceEnded>()[0].returned, 0) << seen.all<SliceEnded>()[0].reason;
  EXPECT_EQ(seen.all<SliceEnded>()[0].result, "worker");
  h.until([&] { return h.log().find("buffered") != std::string::npos; });
  const std::string log = h.log();
  EXPECT_EQ(log.find("buffered"), log.rfind("buffered"));
}

TEST_F(Worker, WritesItsOutputToTheLog) {
  finish(h.launch("misbehave.so", {{"do", "print"}, {"count", "1000"}}));
  h.until([&] { return h.log().find("no end of line") != std::string::npos; });
  const std::string log = h.log();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2003);
  EXPECT_NE(log.find("] out 999\n"), std::string::npos);
  EXPECT_NE(log.find("] err 999\n"), std::string::npos);
  EXPECT_NE(log.find("] [warning] two\n"), std::string::npos);
  EXPECT_NE(log.find("] [warning] lines\n"), std::string::npos);
}

TEST_F(Worker, TellsOnlyOfSlicesThatLeaveSomething) {
  const auto &seen = finish(work("nothing.so", {}, {range(0, 100000, 1)}));
  EXPECT_TRUE(seen.all<SliceEnded>().empty());
  EXPECT_EQ(seen.all<LeaseEnded>(), std::vector<LeaseEnded>({{17, 100000}}));
  EXPECT_EQ(seen.page.done_up_to, 100000);
  EXPECT_EQ(seen.page.begun, 99999);
}

TEST_F(Worker, LeavesOutputResultAndCountersForEachSlice) {
  Lease lease = range(1030, 1095, 10);  // cut at both ends, of a range that begins at 500
  lease.first_input = 3;
  lease.first_offset = 1000;
  lease.first_index = 40;
  lease.base = 500;
  const auto &seen = finish(work("sums.so", {}, {lease}));
  const auto ended = seen.all<SliceEnded>();
  ASSERT_EQ(ended.size(), 7U);
  EXPECT_EQ(ended[0].slice, (Interval{1030, 1040}));
  EXPECT_EQ(ended[6].slice, (Interval{1090, 1095}));
  EXPECT_EQ(ended[0].claimed_to, 1040);
  EXPECT_EQ(ended[0].result, "5345");
  EXPECT_EQ(ended[0].counters, (std::map<std::string, std::int64_t>{{"count", 10}, {"sum", 5345}}));
  EXPECT_EQ(ended[0].files, std::vector<std::string>{"sums.txt"});
  EXPECT_EQ(ended[0].attempt_dir, h.dir.path("out/.attempts/3-530.17"));
  EXPECT_EQ(read_file(ended[0].attempt_dir + "/sums.txt"), "3 530 540 5345\n");
}

TEST_F(Worker, OwnsTheLinesThatStartInItsSlice) {
  const Lease lease = file(InputKind::Lines, "lines", "one\ntwo is longer than a slice\n\nthree");
  const auto &seen = finish(work("sums.so", {}, {lease}));
  std::int64_t lines = 0;
  std::int64_t bytes = 0;
  for (const SliceEnded &ended : seen.all<SliceEnded>()) {
    EXPECT_EQ(ended.returned, 0) << ended.reason;
    lines += ended.counters.at("count");
    bytes += ended.counters.at("sum");
  }
  EXPECT_EQ(lines, 4);
  EXPECT_EQ(bytes, 37 - 3);
  EXPECT_EQ(seen.all<LeaseEnded>(), std::vector<LeaseEnded>({{18, 37}}));
}

TEST_F(Worker, HasAnEmptyFileAsASlice) {
  const auto &seen = finish(work("sums.so", {}, {file(InputKind::File, "empty", "")}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(seen.all<SliceEnded>()[0].slice, (Interval{0, 1}));
  EXPECT_EQ(seen.all<SliceEnded>()[0].returned, 0) << seen.all<SliceEnded>()[0].reason;
}

TEST_F(Worker, TakesAnAttemptFolderThatADeadHostLeft) {
  std::filesystem::create_directories(h.dir.path("out/.attempts/0-0.17"));
  write_file(h.dir.path("out/.attempts/0-0.17/sums.txt"), "old\n");
  write_file(h.dir.path("out/.attempts/0-0.17/other.txt"), "old\n");
  const auto &seen = finish(work("sums.so", {}, {range(0, 3, 3)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(read_file(h.dir.path("out/.attempts/0-0.17/sums.txt")), "0 0 3 3\n");
  EXPECT_FALSE(std::filesystem::exists(h.dir.path("out/.attempts/0-0.17/other.txt")));
}

TEST_F(Worker, GoesOnAfterAVerdictThatKeepsTheProcess) {
  for (const char *code : {"65", "75", "85"}) {
    const auto &seen = finish(work(
        "misbehave.so", {{"do", "return"}, {"code", code}, {"reason", "why"}, {"at_index", "1"}}, {range(0, 3, 1)}));
    ASSERT_EQ(seen.all<SliceEnded>().size(), 1U) << code;
    EXPECT_EQ(std::to_string(seen.all<SliceEnded>()[0].returned), code);
    EXPECT_EQ(seen.all<SliceEnded>()[0].reason, "why");
    EXPECT_EQ(seen.all<SliceEnded>()[0].slice, (Interval{1, 2}));
    EXPECT_EQ(seen.all<LeaseEnded>(), std::vector<LeaseEnded>({{17, 3}}));
    EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
  }
}

TEST_F(Worker, LeavesWithAnyOtherVerdictOnceItHasTold) {
  const auto &seen =
      finish(work("misbehave.so", {{"do", "return"}, {"code", "70"}, {"at_index", "1"}}, {range(0, 3, 1)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(seen.all<SliceEnded>()[0].returned, 70);
  EXPECT_TRUE(seen.all<LeaseEnded>().empty());
  EXPECT_EQ(*seen.status, (WaitStatus{false, 70, false}));
}

TEST_F(Worker, ThatCrashesInASliceNamesItInItsPage) {
  const auto &seen = finish(work("misbehave.so", {{"do", "null"}, {"at_index", "12"}}, {range(10, 15, 1)}));
  EXPECT_EQ(seen.status->value, SIGSEGV);
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Running);
  EXPECT_EQ(seen.page.begun, 12);
  EXPECT_EQ(seen.page.done_up_to, 12);
}

TEST_F(Worker, FailsInTheFirstAttemptsOnly) {
  Lease lease = range(0, 1, 1);
  for (lease.attempt = 1; lease.attempt <= 3; ++lease.attempt) {
    const auto &seen = finish(work("misbehave.so", {{"do", "return"}, {"code", "70"}, {"fails", "2"}}, {lease}));
    EXPECT_EQ(seen.all<LeaseEnded>().size(), lease.attempt == 3 ? 1U : 0U);
  }
}

TEST_F(Worker, DrainsBetweenSlices) {
  const WorkerId worker =
      work("misbehave.so", {{"do", "claim_slowly"}, {"file", h.dir.path("pid")}}, {range(0, 1000, 100)});
  h.until([&] { return !read_file(h.dir.path("pid")).empty(); });
  h.fleet->stop(worker, StopWord::Drain, 0);
  const auto &seen = finish(worker);
  ASSERT_EQ(seen.all<LeaseEnded>().size(), 1U);
  EXPECT_EQ(seen.all<LeaseEnded>()[0].up_to % 100, 0);
  EXPECT_LT(seen.all<LeaseEnded>()[0].up_to, 1000);
  EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
}

TEST_F(Worker, IsRefusedFurtherClaimsWhenCancelled) {
  const WorkerId worker =
      work("misbehave.so", {{"do", "claim_slowly"}, {"file", h.dir.path("pid")}}, {range(0, 1000000, 1000000)});
  h.until([&] { return !read_file(h.dir.path("pid")).empty(); });
  h.fleet->stop(worker, StopWord::Cancel, SIGTERM);
  const auto &seen = finish(worker);
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(seen.all<SliceEnded>()[0].refused, StopWord::Cancel);
  EXPECT_LT(seen.all<SliceEnded>()[0].claimed_to, 1000000);
  EXPECT_TRUE(seen.all<SliceEnded>()[0].claimed);
}

TEST_F(Worker, TellsOfASliceThatWasNotClaimedToItsEnd) {
  const auto &seen = finish(work("misbehave.so", {{"do", "claim_half"}}, {range(0, 10, 10)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(seen.all<SliceEnded>()[0].claimed_to, 5);
  EXPECT_EQ(seen.all<SliceEnded>()[0].refused, StopWord::GoOn);
}

TEST_F(Worker, KeepsAnOutputWhoseDescriptorThePluginHasClosed) {
  const auto &seen = finish(work("misbehave.so", {{"do", "close_output"}}, {range(0, 10, 10)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_EQ(seen.all<SliceEnded>()[0].files, std::vector<std::string>{"closed"});
  EXPECT_EQ(seen.all<SliceEnded>()[0].returned, 0);
  EXPECT_FALSE(seen.all<SliceEnded>()[0].io_failed) << seen.all<SliceEnded>()[0].reason;
}

TEST_F(Worker, BlamesTheSliceForAnOutputThatThePluginHasRemoved) {
  const auto &seen = finish(work("misbehave.so", {{"do", "remove_output"}}, {range(0, 10, 10)}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_TRUE(seen.all<SliceEnded>()[0].files.empty());
  EXPECT_EQ(seen.all<SliceEnded>()[0].returned, 70);
  EXPECT_EQ(seen.all<SliceEnded>()[0].reason, "output removed: is gone");
}

// A disk of its own for the outputs; a test that cannot have one has nothing to say.
class WorkerOnSmallDisk : public Worker {
 protected:
  ~WorkerOnSmallDisk() override {
    if (mounted_) ::umount2(h.dir.path("out").c_str(), MNT_DETACH);
  }
  [[nodiscard]] bool mount(const std::string &options) {
    std::filesystem::create_directories(h.dir.path("out"));
    mounted_ = ::mount("tmpfs", h.dir.path("out").c_str(), "tmpfs", 0, options.c_str()) == 0;
    return mounted_;
  }
  // What became of two slices whose plugin does so.
  std::vector<SliceEnded> ended(const std::string &what, std::map<std::string, std::string> params = {}) {
    params["do"] = what;
    return finish(work("misbehave.so", std::move(params), {range(0, 20, 10)})).all<SliceEnded>();
  }

 private:
  bool mounted_ = false;
};

TEST_F(WorkerOnSmallDisk, SaysThatThereIsNoRoomWhateverItsPluginReturns) {
  if (!mount("size=2m")) GTEST_SKIP() << "a test that mounts is root's";
  for (const auto *code : {"75", "70", "3"}) {
    const auto told = ended("fill_output", {{"code", code}, {"reason", "cannot write"}});
    ASSERT_EQ(told.size(), 1U) << code;  // its lease ends there
    EXPECT_TRUE(told[0].no_room) << code;
    EXPECT_EQ(told[0].reason, h.dir.path("out/.attempts/0-0.17: No space left on device: cannot write"));
    std::filesystem::remove_all(h.dir.path("out/.attempts"));
  }
}

TEST_F(WorkerOnSmallDisk, LeavesVerdictsOfAnotherKindAndThoseWithRoomAsTheyAre) {
  if (!mount("size=8m")) GTEST_SKIP() << "a test that mounts is root's";
  const auto with_room = ended("fill_output", {{"code", "75"}, {"count", "1048576"}});
  ASSERT_EQ(with_room.size(), 2U);
  EXPECT_FALSE(with_room[0].no_room || with_room[1].no_room || with_room[0].io_failed);
  const auto bad_data = ended("fill_output", {{"code", "65"}});
  ASSERT_EQ(bad_data.size(), 2U);
  EXPECT_FALSE(bad_data[0].no_room || bad_data[1].no_room);
  EXPECT_FALSE(std::filesystem::exists(h.dir.path("out/.attempts/0-0.17/.room")));
}

TEST_F(WorkerOnSmallDisk, SaysThatThereIsNoRoomWhenAnOutputCannotBeMade) {
  if (!mount("size=8m,nr_inodes=3")) GTEST_SKIP() << "a test that mounts is root's";  // no file fits beside the folders
  const auto told = ended("fill_output", {{"code", "85"}});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].no_room);
}

TEST_F(Worker, NoticesAnInputThatChangedBeforeItsSlice) {
  const Lease lease = file(InputKind::Lines, "lines", "one\n");
  write_file(h.dir.path("lines"), "other\n");
  const auto &seen = finish(work("sums.so", {}, {lease}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_TRUE(seen.all<SliceEnded>()[0].input_changed);
  EXPECT_EQ(seen.all<SliceEnded>()[0].reason, "input " + h.dir.path("lines") + " changed: its size was 4, now it is 6");
}

TEST_F(Worker, NoticesAnInputThatChangedDuringItsSlice) {
  const auto &seen = finish(work("misbehave.so", {{"do", "grow_input"}}, {file(InputKind::Lines, "lines", "one\n")}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  EXPECT_TRUE(seen.all<SliceEnded>()[0].input_changed);
  EXPECT_TRUE(seen.all<SliceEnded>()[0].files.empty());
}

TEST_F(Worker, MergesWhatTheHostWroteForIt) {
  std::string input;
  MergeInputWriter writer([&](std::string_view bytes) -> Result<void> {
    input += bytes;
    return {};
  });
  MergeRange range;
  range.end = 10;
  range.result = "45";
  range.files = {"/out/parts/0-0/sums.txt"};
  ASSERT_TRUE(writer.committed(range));
  range.begin = 20;
  range.end = 30;
  range.result = "100";
  ASSERT_TRUE(writer.committed(range));
  MergeRange lost;
  lost.begin = 10;
  lost.end = 20;
  lost.reason = "crashed";
  ASSERT_TRUE(writer.quarantined(lost));
  ASSERT_TRUE(writer.counter("sum", 145));
  ASSERT_TRUE(writer.finish());
  write_file(h.dir.path("merge"), input);

  Lease lease;
  lease.id = 4;
  lease.begin = 30;
  lease.end = 31;
  lease.merge_input = h.dir.path("merge");
  const auto &seen = finish(work("sums.so", {}, {lease}));
  ASSERT_EQ(seen.all<SliceEnded>().size(), 1U);
  const SliceEnded ended = seen.all<SliceEnded>()[0];
  EXPECT_EQ(ended.slice, (Interval{30, 31}));
  EXPECT_EQ(ended.result, "145");
  EXPECT_EQ(ended.returned, 0) << ended.reason;
  EXPECT_EQ(ended.attempt_dir, h.dir.path("out/.attempts/merge.4"));
  EXPECT_EQ(read_file(ended.attempt_dir + "/total.txt"), "sum 145 files 2 counted 145 missing 10\n");
}

TEST_F(Worker, OfAJobThatIsDismissedLeaves) {
  const auto &seen = finish(work("sums.so", {}, {}));
  EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Idle);
}

TEST_F(Worker, IsSetUpAsItsEntrySays) {
  Start start = h.start_of("misbehave.so", {{"do", "wait"}, {"file", h.dir.path("pid")}});
  start.env = {{"HOSTLER_TEST_WORD", "hello"}};
  start.umask = 077;
  start.cwd = h.dir.path("logs");
  const WorkerId worker = h.launch(start);
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  const std::string proc = "/proc/" + std::to_string(*h.seen[worker].pid);
  EXPECT_EQ(std::filesystem::read_symlink(proc + "/cwd"), std::filesystem::canonical(h.dir.path("logs")));
  EXPECT_EQ(std::filesystem::read_symlink(proc + "/fd/0"), "/dev/null");
  EXPECT_TRUE(read_file(proc + "/cmdline").starts_with(std::string_view("hostler: entry 0/1\0", 19)));
  EXPECT_EQ(read_file(proc + "/comm"), "hostler: entry \n");
  const std::string status = read_file(proc + "/status");
  EXPECT_NE(status.find("\nUmask:\t0077\n"), std::string::npos);
  EXPECT_NE(status.find("\nPPid:\t" + std::to_string(::getpid()) + "\n"), std::string::npos);
  EXPECT_NE(status.find("\nSigBlk:\t0000000000000000\n"), std::string::npos);
  EXPECT_NE(status.find("\nSigIgn:\t0000000000000000\n"), std::string::npos);
  EXPECT_EQ(::getpgid(*h.seen[worker].pid), *h.seen[worker].pid);
  // Null, log twice, fleet lock, channel, stop_fd, and nothing of the template's.
  std::vector<std::string> open;
  for (const auto &entry : std::filesystem::directory_iterator(proc + "/fd"))
    open.push_back(std::filesystem::read_symlink(entry.path()).string());
  EXPECT_EQ(open.size(), 6U) << testing::PrintToString(open);
  EXPECT_EQ(std::count(open.begin(), open.end(), h.dir.path("fleet.lock")), 1);
}

}  // namespace
}  // namespace hostler
