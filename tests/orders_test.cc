// pause, resume, cancel and retry of jobs under the supervisor, in virtual time; and what becomes of their attempts.
#include <csignal>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

class OrdersTest : public FleetTest {
 protected:
  Result<std::vector<std::string>> say(OperatorVerb verb, const std::string &name,
                                       std::vector<std::string> slices = {}) {
    OperatorCommand command;
    command.verb = verb;
    command.names = {name};
    command.slices = std::move(slices);
    auto meant = supervisor->command(command);
    system.run_for(milliseconds(50));
    return meant;
  }
  std::string outcome_of(OperatorVerb verb, const std::string &name) {
    const auto outcome = supervisor->outcome_of(verb, name);
    return outcome ? (outcome->ok ? "ok " : "not ok ") + outcome->words : "under way";
  }
  // Every slice takes `each` and counts itself; those that begin at one of `bad` fail.
  void script(Duration each, std::int32_t returned = 70) {
    system.script("j", job_script(each, [this, returned](const Lease &, Interval slice) {
                    ++runs[slice.begin];
                    SliceEnded ended;
                    if (bad.contains(slice.begin)) {
                      ended.returned = returned;
                      return ended;
                    }
                    ended.counters["slices"] = 1;
                    return ended;
                  }));
  }
  PreparedEntry job(std::int64_t slices, std::int32_t count = 1) {
    PreparedEntry entry = job_entry("j", count, slices);
    entry.config.attempts = 1;
    return entry;
  }
  std::set<std::int64_t> bad;
  std::map<std::int64_t, int> runs;
};

TEST_F(OrdersTest, AResumeDoesNotWaitForTheSliceThatAPauseLetsEnd) {
  script(minutes(5));
  ASSERT_TRUE(apply({job(3)}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  ASSERT_TRUE(say(OperatorVerb::Resume, "j"));
  EXPECT_EQ(outcome_of(OperatorVerb::Resume, "j"), "ok j: stopping, 1 worker; goes on when what is in work has ended");
  system.run_for(minutes(16));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(OrdersTest, APausedJobEndsTheSliceItIsInAndHandsOutNoOther) {
  script(minutes(5));
  ASSERT_TRUE(apply({job(3)}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  EXPECT_EQ(outcome_of(OperatorVerb::Pause, "j"), "ok j: paused, 1 worker; paused by operator");
  EXPECT_EQ(entry("j").state, "paused");
  system.run_for(minutes(4));  // far longer than `drain` and `grace`
  EXPECT_EQ(system.alive("j").size(), 1U);
  EXPECT_EQ(system.count_in_diary("stop j/0 cancel SIGTERM"), 0);
  system.run_for(minutes(10));
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_EQ(entry("j").progress.done, 1);
  EXPECT_FALSE(supervisor->jobs_ended());
  ASSERT_TRUE(say(OperatorVerb::Resume, "j"));
  EXPECT_EQ(entry("j").state, "running");
  system.run_for(minutes(11));
  EXPECT_EQ(entry("j").state, "succeeded");
  for (const auto &[begin, times] : runs) EXPECT_EQ(times, 1) << begin;
}

TEST_F(OrdersTest, ACancelledJobEndsThoughItsWorkerDiesWhileMergeIsMadeReady) {
  script(seconds(1));
  PreparedEntry empty = job(0);
  empty.build.has_merge = true;
  Prepared prepared;
  prepared.entries = {empty};
  ASSERT_TRUE(supervisor->apply(std::move(prepared), {}));
  for (int i = 0; i < 100 && system.count_in_diary("start j/0") == 0; ++i)
    system.run_for(std::chrono::microseconds(100));
  system.run_for(std::chrono::microseconds(100));  // the lease is on its way to the ledger
  ASSERT_TRUE(supervisor->command({OperatorVerb::Cancel, {"j"}, false, 0, {}, {}}));
  system.kill_from_outside("j", 0, SIGKILL);
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "cancelled");
}

TEST_F(OrdersTest, WhatIsPausedStaysPausedAcrossReloadsAndHosts) {
  script(seconds(1));
  ASSERT_TRUE(apply({job(5)}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  ASSERT_TRUE(apply({job(5, 2)}));
  crash_and_boot({"j"});
  ASSERT_TRUE(apply({job(5, 2)}));
  system.run_for(minutes(5));
  EXPECT_EQ(entry("j").state, "paused");
  EXPECT_TRUE(system.alive("j").empty());
  ASSERT_TRUE(say(OperatorVerb::Resume, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(OrdersTest, AJobThatHasFailedIsNotCalledPaused) {
  script(seconds(1), 78);
  bad = {0};
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").state, "failed");
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  EXPECT_EQ(entry("j").state, "failed");
  bad.clear();
  ASSERT_TRUE(say(OperatorVerb::Resume, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

Script hanging() {
  Script script;
  script.on_lease = [](FakeWorker &worker, const Lease &lease) {
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker.page.begun = lease.begin;
  };
  script.on_dismiss = [](FakeWorker &) {};
  return script;
}

TEST_F(OrdersTest, APluginThatHangsInAPausedJobIsEndedAllTheSame) {
  system.script("j", hanging());
  PreparedEntry watched = job(2);
  watched.config.watchdog = seconds(30);
  ASSERT_TRUE(apply({watched}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  system.run_for(seconds(29));
  EXPECT_EQ(system.alive("j").size(), 1U);
  system.run_for(minutes(1));
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_TRUE(logged("hung: no sign of life for 30s in slice 0-0"));
  EXPECT_EQ(entry("j").progress.quarantined, 1);
}

TEST_F(OrdersTest, APluginThatHangsIsEndedWhenAPauseGivesItAllTheTimeThatARestartDidNot) {
  system.script("j", hanging());
  PreparedEntry watched = job(2);
  watched.config.watchdog = seconds(5);
  watched.config.stop.drain = seconds(20);
  ASSERT_TRUE(apply({watched}));
  ASSERT_TRUE(say(OperatorVerb::Restart, "j"));
  system.run_for(seconds(10));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  system.run_for(minutes(1));
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_TRUE(logged("hung: no sign of life for 5s in slice 0-0"));
}

TEST_F(OrdersTest, ASecondPauseDoesNotSaveAPluginThatHasSurvivedItsAbort) {
  Script script = hanging();
  script.survives_abort = true;
  system.script("j", script);
  PreparedEntry watched = job(2);
  watched.config.watchdog = seconds(5);
  ASSERT_TRUE(apply({watched}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  while (system.count_in_diary("stop j/0 deadline SIGABRT") == 0) system.run_for(milliseconds(100));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(system.count_in_diary("kill j/0"), 1);
  EXPECT_TRUE(system.alive("j").empty());
}

TEST_F(OrdersTest, AStopOfAPausedJobHasItsGraceAgain) {
  script(minutes(60));
  ASSERT_TRUE(apply({job(2)}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(system.alive("j").size(), 1U);
  ASSERT_TRUE(say(OperatorVerb::Stop, "j"));
  system.run_for(seconds(30));
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_TRUE(entry("j").stopped);
}

TEST_F(OrdersTest, TheEndOfTheHostDoesNotWaitForAPausedSlice) {
  script(minutes(60));
  ASSERT_TRUE(apply({job(2)}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  bool stopped = false;
  supervisor->stop([&] { stopped = true; });
  system.run_for(seconds(30));
  EXPECT_TRUE(stopped);
}

TEST_F(OrdersTest, AJobThatIsResumedWhileItDrainsGoesOn) {
  script(seconds(10));
  ASSERT_TRUE(apply({job(3)}));
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  ASSERT_TRUE(say(OperatorVerb::Resume, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(OrdersTest, ACancelledJobEndsWithThatVerdictAndKeepsWhatIsDone) {
  script(seconds(10));
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(seconds(15));
  ASSERT_TRUE(say(OperatorVerb::Cancel, "j"));
  system.run_for(seconds(30));
  EXPECT_EQ(outcome_of(OperatorVerb::Cancel, "j"), "ok j: cancelled; by an operator");
  EXPECT_EQ(store.job("j").state, JobState::Cancelled);
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_TRUE(supervisor->jobs_ended());
  const auto done = entry("j").progress.done;
  EXPECT_GT(done, 0);
  EXPECT_LT(done, 5);
  crash_and_boot({"j"});
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(minutes(5));
  EXPECT_EQ(entry("j").state, "cancelled");
  EXPECT_FALSE(say(OperatorVerb::Start, "j"));
  EXPECT_FALSE(say(OperatorVerb::Retry, "j"));
  ASSERT_TRUE(apply({job(5)}, {{}, {"j"}}));
  system.run_for(minutes(5));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(store.job("j").counters.at("slices"), 5);
}

TEST_F(OrdersTest, APausedOrStoppedJobCanBeCancelled) {
  for (const OperatorVerb verb : {OperatorVerb::Pause, OperatorVerb::Stop}) {
    script(seconds(1));
    ASSERT_TRUE(apply({job(100)}, {{"j"}, {}}));
    ASSERT_TRUE(say(verb, "j"));
    system.run_for(seconds(20));
    ASSERT_TRUE(say(OperatorVerb::Cancel, "j"));
    system.run_for(seconds(1));
    EXPECT_EQ(entry("j").state, "cancelled");
  }
}

TEST_F(OrdersTest, ACancelledJobThatHadFailedStaysSoThoughItIsReloadedMeanwhile) {
  bad = {0};
  script(seconds(1), 78);
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(seconds(10));
  ASSERT_EQ(entry("j").state, "failed");
  ASSERT_TRUE(supervisor->command({OperatorVerb::Cancel, {"j"}, false, 0, {}, {}}));
  ASSERT_TRUE(apply({job(5, 2)}));  // its end is not durable yet
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "cancelled");
  EXPECT_EQ(store.job("j").state, JobState::Cancelled);
}

TEST_F(OrdersTest, ACancelEndsAJobWhoseFailureAReloadIsJustForgetting) {
  bad = {0};
  script(seconds(1), 78);
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(milliseconds(500));
  ASSERT_TRUE(say(OperatorVerb::Stop, "j"));
  system.run_for(minutes(1));
  ASSERT_NE(store.job("j").reason, "");
  crash_and_boot({"j"});
  for (const std::int32_t count : {1, 2}) {
    Prepared prepared;
    prepared.entries = {job(5, count)};
    ASSERT_TRUE(supervisor->apply(std::move(prepared), {}));
  }
  ASSERT_TRUE(say(OperatorVerb::Cancel, "j"));  // before the ledger has it
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "cancelled");
}

TEST_F(OrdersTest, WhatAJobHasGivenUpIsTriedAgainWhileItRuns) {
  bad = {0};
  script(seconds(1));
  ASSERT_TRUE(apply({job(10)}));
  system.run_for(seconds(4));
  EXPECT_EQ(entry("j").progress.quarantined, 1);
  bad.clear();
  ASSERT_TRUE(say(OperatorVerb::Retry, "j"));
  EXPECT_EQ(outcome_of(OperatorVerb::Retry, "j"), "ok j: running, 1 worker; 1 slice is tried again");
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs[0], 2);
}

TEST_F(OrdersTest, ARetryStartsAnEntryThatHasFailedAsAWhole) {
  bad = {0};
  script(seconds(1), 65);
  auto two = job(5);
  ASSERT_TRUE(apply({two}));
  system.run_for(seconds(3));
  ASSERT_EQ(entry("j").progress.quarantined, 1);
  bad = {40};
  script(seconds(1), 78);
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "failed");
  bad.clear();
  ASSERT_TRUE(say(OperatorVerb::Retry, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(OrdersTest, ARetryLiftsAStopThatCameBeforeTheJobEnded) {
  bad = {0};
  script(seconds(1));
  ASSERT_TRUE(apply({job(1)}));
  system.run_for(milliseconds(500));
  ASSERT_TRUE(say(OperatorVerb::Stop, "j"));
  system.run_for(minutes(1));
  ASSERT_EQ(entry("j").state, "failed");
  bad.clear();
  ASSERT_TRUE(say(OperatorVerb::Retry, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(OrdersTest, AnEndedJobRunsAgainForWhatIsRetried) {
  bad = {0, 30};
  script(seconds(1));
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_FALSE(say(OperatorVerb::Retry, "j", {"0-10"}));
  EXPECT_FALSE(say(OperatorVerb::Retry, "j", {"7-10"}));
  bad.clear();
  ASSERT_TRUE(say(OperatorVerb::Retry, "j", {"0-30"}));
  system.run_for(minutes(1));
  EXPECT_EQ(runs[30], 2);
  EXPECT_EQ(runs[0], 1);
  EXPECT_EQ(entry("j").state, "failed");
  ASSERT_TRUE(say(OperatorVerb::Retry, "j", {"j.0-0"}));
  crash_and_boot({"j"});
  EXPECT_EQ(store.job("j").state, JobState::Running);
  ASSERT_TRUE(apply({job(5)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(store.job("j").state, JobState::Succeeded);
  EXPECT_EQ(store.job("j").counters.at("slices"), 5);
  EXPECT_FALSE(say(OperatorVerb::Retry, "j"));
}

TEST_F(OrdersTest, ARetryMakesTheMergeAgain) {
  bad = {0};
  script(seconds(1));
  auto merging = job(5);
  merging.build.has_merge = true;
  merging.config.max_failed.count = 1;
  ASSERT_TRUE(apply({merging}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(runs[50], 1);
  EXPECT_EQ(entry("j").counters.at("slices"), 5);  // four, and the merge
  bad.clear();
  ASSERT_TRUE(say(OperatorVerb::Retry, "j"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs[50], 2);
  EXPECT_EQ(entry("j").counters.at("slices"), 6);
}

TEST_F(OrdersTest, ARetryTakesTheNewBuildAndNothingElse) {
  bad = {0};
  script(seconds(1));
  ASSERT_TRUE(apply({job(2)}));
  system.run_for(minutes(1));
  Prepared prepared;
  prepared.entries = {job(7, 9)};
  prepared.entries[0].build.hash = "b2";
  EXPECT_TRUE(supervisor->apply_builds(prepared, {"other"}).entries.empty());
  EXPECT_EQ(supervisor->apply_builds(prepared, {"j"}).entries.size(), 1U);
  EXPECT_EQ(entry("j").build, "b2");
  EXPECT_EQ(entry("j").progress.slices, 2);
  EXPECT_EQ(entry("j").count, 1);
}

TEST_F(OrdersTest, EachAttemptHasALine) {
  bad = {10};
  script(seconds(1));
  auto twice = job(3);
  twice.config.attempts = 2;
  ASSERT_TRUE(apply({twice}));
  system.run_for(minutes(1));
  const auto &lines = store.attempts("j");
  ASSERT_EQ(lines.size(), 4U);
  std::map<std::string, int> verdicts;
  for (const auto &[seq, line] : lines) {
    ++verdicts[line.verdict];
    EXPECT_EQ(line.took, seconds(1)) << seq;
    EXPECT_EQ(line.build->hash, "b1");
    EXPECT_EQ(line.code, line.range.begin == 10 ? 70 : 0);
  }
  EXPECT_EQ(verdicts, (std::map<std::string, int>{{"done", 2}, {"failure", 2}}));
}

TEST_F(OrdersTest, SlicesThatTakeNoTimeShareALine) {
  script(std::chrono::microseconds(10));
  ASSERT_TRUE(apply({job(20'000)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  std::int64_t slices = 0;
  for (const auto &[seq, line] : store.attempts("j")) slices += line.range.slices;
  EXPECT_EQ(slices, 20'000);
  EXPECT_LT(store.attempts("j").size(), 100U);
}

TEST_F(OrdersTest, ACrashHasALineWithItsSignalAndWhatIsFoundLater) {
  bad = {0};
  script(seconds(1), kCrash);
  ASSERT_TRUE(apply({job(2)}));
  system.run_for(minutes(1));
  const Attempt &line = store.attempts("j").at(1);
  EXPECT_EQ(line.verdict, "crash");
  EXPECT_EQ(line.signal, SIGSEGV);
  EXPECT_EQ(line.code, 0);
  EXPECT_EQ(line.range.begin, 0);
  EXPECT_NE(line.reason.find("SIGSEGV"), std::string::npos);
}

TEST_F(OrdersTest, LinesAreNumberedAcrossHosts) {
  script(seconds(1));
  ASSERT_TRUE(apply({job(10)}));
  system.run_for(seconds(4));
  crash_and_boot({"j"});
  ASSERT_TRUE(apply({job(10)}));
  system.run_for(minutes(1));
  std::int64_t expected = 0;
  for (const auto &[seq, line] : store.attempts("j")) EXPECT_EQ(seq, ++expected);
  EXPECT_GE(expected, 10);
}

TEST_F(OrdersTest, AJobThatWaitsForRoomObeysAsAnyOther) {
  bool full = true;
  system.script("j", job_script(milliseconds(10), [&full](const Lease &, Interval) {
                  SliceEnded ended;
                  ended.io_failed = ended.no_room = full;
                  return ended;
                }));
  ASSERT_TRUE(apply({job(9, 2)}));
  system.run_for(seconds(5));
  ASSERT_EQ(entry("j").state, "waiting");
  ASSERT_TRUE(say(OperatorVerb::Pause, "j"));
  EXPECT_EQ(entry("j").state, "paused");
  ASSERT_TRUE(say(OperatorVerb::Resume, "j"));
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").state, "waiting");
  ASSERT_TRUE(say(OperatorVerb::Stop, "j"));
  EXPECT_EQ(entry("j").state, "stopped");
  EXPECT_EQ(entry("j").reason, "stopped by operator");
  ASSERT_TRUE(say(OperatorVerb::Start, "j"));
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").state, "waiting");
  full = false;
  system.run_for(seconds(2));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(OrdersTest, AJobThatWaitsForRoomCanBeCancelled) {
  system.script("j", job_script(milliseconds(10), [](const Lease &, Interval) {
                  SliceEnded ended;
                  ended.io_failed = ended.no_room = true;
                  return ended;
                }));
  ASSERT_TRUE(apply({job(9, 2)}));
  system.run_for(seconds(5));
  ASSERT_TRUE(say(OperatorVerb::Cancel, "j"));
  EXPECT_EQ(entry("j").state, "cancelled");
}

}  // namespace
}  // namespace hostler
