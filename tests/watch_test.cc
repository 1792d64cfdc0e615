// watchdog:, time_limit: and the time to load, under the supervisor, in virtual time.
#include <csignal>

#include <cstdint>
#include <limits>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

class WatchTest : public FleetTest {
 protected:
  // A worker that beats every `pause` for `life`, then hangs.
  static Script beating(Duration pause, Duration life) {
    Script script;
    script.on_start = [pause, life](FakeWorker &worker) {
      worker.say(Loaded{});
      for (Duration at = pause; at <= life; at += pause) worker.after(at, [&worker] { ++worker.page.beats; });
    };
    return script;
  }
  // A job's worker that begins each lease and never ends it.
  static Script stuck() {
    Script script;
    script.on_lease = [](FakeWorker &worker, const Lease &lease) {
      worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
      worker.page.begun = lease.begin;
    };
    script.on_stop = [](FakeWorker &) {};
    script.on_dismiss = [](FakeWorker &) {};
    return script;
  }
  void order(OperatorVerb verb, std::vector<std::string> names) {
    OperatorCommand command;
    command.verb = verb;
    command.names = std::move(names);
    EXPECT_TRUE(supervisor->command(command));
  }
  static PreparedEntry watched(PreparedEntry entry, Duration watchdog) {
    entry.config.watchdog = watchdog;
    return entry;
  }
};

TEST_F(WatchTest, BeatsAreNeverNegativeWhateverAPageSays) {
  Script script;
  script.on_start = [](FakeWorker &worker) {
    worker.say(Loaded{});
    worker.page.beats = ~std::uint64_t{0};
  };
  system.script("a", script);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("a").workers[0].beats, std::numeric_limits<std::int64_t>::max());
}

TEST_F(WatchTest, AServiceThatGoesSilentIsAbortedAndStartedAgain) {
  system.script("a", beating(seconds(1), seconds(100)));
  ASSERT_TRUE(apply({watched(service_entry("a", 1), seconds(8)), service_entry("b", 1)}));
  system.run_for(seconds(107));
  EXPECT_EQ(system.count_in_diary("stop a/0 deadline SIGABRT"), 0);
  const auto before = pids("b");
  system.run_for(seconds(3));
  EXPECT_EQ(system.count_in_diary("stop a/0 deadline SIGABRT"), 1);
  EXPECT_EQ(system.count_in_diary("kill a/0"), 0);
  const EntryStatus status = entry("a");
  EXPECT_EQ(status.state, "running");
  EXPECT_EQ(status.workers[0].restarts, 1);
  EXPECT_EQ(status.workers[0].last_exit.text, "hung: no sign of life for 8s");
  EXPECT_EQ(status.workers[0].last_exit.verdict, "timeout");
  EXPECT_EQ(status.workers[0].last_exit.signal, SIGABRT);
  EXPECT_EQ(pids("b"), before);
}

TEST_F(WatchTest, WhatSurvivesTheAbortIsKilledShortlyAfter) {
  Script script = beating(seconds(1), seconds(1));
  script.survives_abort = true;
  system.script("a", script);
  ASSERT_TRUE(apply({watched(service_entry("a", 1), seconds(8))}));
  system.run_for(seconds(12));
  EXPECT_EQ(system.count_in_diary("kill a/0"), 1);
  EXPECT_EQ(entry("a").workers[0].last_exit.verdict, "timeout");
  EXPECT_EQ(entry("a").workers[0].last_exit.signal, SIGKILL);
}

TEST_F(WatchTest, AServiceThatHangsAgainAndAgainIsGivenUpByItsRestartLimit) {
  system.script("a", beating(milliseconds(10), milliseconds(10)));
  auto config = watched(service_entry("a", 1), milliseconds(100));
  config.config.restart.delay = config.config.restart.max_delay = {};
  ASSERT_TRUE(apply({config}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("a").state, "failed");
  EXPECT_EQ(entry("a").workers[0].note, "gave up: 10 restarts within 1m; last: hung: no sign of life for 100ms");
}

TEST_F(WatchTest, AStopOfAHungWorkerNeedsNoMoreGrace) {
  Script script = beating(seconds(1), seconds(1));
  script.survives_abort = true;
  system.script("a", script);
  ASSERT_TRUE(apply({watched(service_entry("a", 1), seconds(8))}));
  system.run_for(seconds(9) + milliseconds(500));
  ASSERT_EQ(system.count_in_diary("stop a/0 deadline SIGABRT"), 1);
  supervisor->stop([] {});
  EXPECT_EQ(system.count_in_diary("kill a/0"), 1);
}

TEST_F(WatchTest, AHungSliceIsChargedAndTriedAgainUntilItIsQuarantined) {
  system.script("j", stuck());
  auto job = watched(job_entry("j", 1, 1), seconds(8));
  job.config.attempts = 2;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGABRT"), 2);
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_TRUE(logged("slice 0-0: hung: no sign of life for 8s in slice 0-0; attempt 1 of 2"));
  EXPECT_TRUE(logged("attempt 2 of 2, quarantined"));
}

TEST_F(WatchTest, AWorkerThatWaitsForWorkIsNotHung) {
  system.script("j", job_script(seconds(4), [](const Lease &, Interval) { return SliceEnded{}; }));
  auto job = watched(job_entry("j", 2, 2), seconds(8));
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(5));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGABRT"), 0);
}

TEST_F(WatchTest, OneThatHangsAfterRunReturnedIsCaughtToo) {
  Script script = stuck();
  script.on_lease = [](FakeWorker &worker, const Lease &lease) {
    worker.page.begun = lease.begin;
    worker.page.stage = static_cast<std::uint32_t>(Stage::Returned);
  };
  system.script("j", script);
  auto job = watched(job_entry("j", 1, 1), seconds(8));
  job.config.attempts = 1;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(10));
  EXPECT_EQ(entry("j").workers[0].last_exit.text, "hung: no sign of life for 8s in slice 0-0");
}

TEST_F(WatchTest, OneThatNeverLoadsIsCaughtWithoutAnySetting) {
  Script script;
  script.on_start = [](FakeWorker &worker) { worker.page.stage = static_cast<std::uint32_t>(Stage::Loading); };
  system.script("a", script);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.run_for(seconds(59));
  EXPECT_EQ(system.count_in_diary("stop a/0 deadline SIGABRT"), 0);
  system.run_for(seconds(1));
  EXPECT_EQ(system.count_in_diary("stop a/0 deadline SIGABRT"), 1);
  EXPECT_EQ(entry("a").workers[0].last_exit.text, "hung: not ready to run after 1m");
}

TEST_F(WatchTest, OnceAllHaveLoadedNothingTicksWithoutAWatchdog) {
  ASSERT_TRUE(apply({service_entry("a", 100)}));
  const auto alarms = system.alarms();
  system.run_for(minutes(10));
  EXPECT_EQ(system.alarms(), alarms);
}

TEST_F(WatchTest, OneTimerServesAllWorkersOfAnEntry) {
  system.script("a", beating(seconds(1), minutes(2)));
  ASSERT_TRUE(apply({watched(service_entry("a", 100), seconds(8))}));
  const auto alarms = system.alarms();
  system.run_for(seconds(80));
  EXPECT_LE(system.alarms() - alarms, 81);
  EXPECT_EQ(system.alive("a").size(), 100U);
}

TEST_F(WatchTest, AReloadMayBringAWatchdogToAWorkerThatRuns) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  const auto before = pids("a");
  const auto plans = apply({watched(service_entry("a", 1), seconds(8))});
  EXPECT_EQ(plans->entries[0].action, EntryAction::Adjust);
  EXPECT_EQ(plans->entries[0].words, "watchdog none → 8s");
  EXPECT_EQ(pids("a"), before);
  system.run_for(seconds(10));
  EXPECT_EQ(system.count_in_diary("stop a/0 deadline SIGABRT"), 1);
}

TEST_F(WatchTest, ASliceOverItsTimeIsAskedToStopAndThenAborted) {
  system.script("j", stuck());
  auto job = job_entry("j", 1, 1);
  job.config.time_limit = seconds(8);
  job.config.attempts = 1;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(10));
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGTERM"), 1);
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGABRT"), 0);
  system.run_for(seconds(10));
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGABRT"), 1);
  EXPECT_EQ(entry("j").workers[0].last_exit.text,
            "out of time: over its time limit of 8s, and did not stop when asked to in slice 0-0");
  EXPECT_EQ(entry("j").state, "failed");
}

// Whether it drains already, for a restart, or not.
TEST_F(WatchTest, APauseGivesASliceThatIsOverItsTimeNoMoreOfIt) {
  std::vector<PreparedEntry> jobs;
  for (const char *name : {"j", "k"}) {
    system.script(name, stuck());
    jobs.push_back(job_entry(name, 1, 1));
    jobs.back().config.time_limit = seconds(8);
    jobs.back().config.attempts = 1;
  }
  ASSERT_TRUE(apply(jobs));
  system.run_for(seconds(9));
  ASSERT_EQ(system.count_in_diary("stop j/0 deadline SIGTERM"), 1);
  order(OperatorVerb::Restart, {"k"});
  order(OperatorVerb::Pause, {"j", "k"});
  EXPECT_EQ(entry("j").state, "paused");
  system.run_for(seconds(15));
  for (const std::string name : {"j", "k"}) {
    EXPECT_EQ(system.count_in_diary("stop " + name + "/0 deadline SIGABRT"), 1);
    EXPECT_EQ(entry(name).state, "failed");
  }
}

TEST_F(WatchTest, AStopGivesASliceThatIsOverItsTimeNoMoreOfItEither) {
  system.script("j", stuck());
  auto job = job_entry("j", 1, 1);
  job.config.time_limit = seconds(8);
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(9));
  ASSERT_EQ(system.count_in_diary("stop j/0 deadline SIGTERM"), 1);
  order(OperatorVerb::Stop, {"j"});
  system.run_for(seconds(15));
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGABRT"), 1);
  EXPECT_EQ(system.count_in_diary("stop j/0 cancel SIGTERM"), 0);
  EXPECT_EQ(entry("j").workers[0].last_exit.text.substr(0, 12), "out of time:");
}

// Whatever it is that wants them gone.
TEST_F(WatchTest, WhatAPauseHasLeftAllItsTimeHasALimitAgainForAStop) {
  const std::vector<std::string> all{"j", "k", "l"};
  std::vector<PreparedEntry> jobs;
  for (const std::string &name : all) {
    system.script(name, stuck());
    jobs.push_back(job_entry(name, 1, 1));
  }
  ASSERT_TRUE(apply(jobs));
  system.run_for(seconds(1));
  order(OperatorVerb::Pause, all);
  system.run_for(seconds(60));
  order(OperatorVerb::Resume, all);
  system.run_for(seconds(60));
  for (const std::string &name : all) ASSERT_EQ(system.count_in_diary("stop " + name + "/0 cancel SIGTERM"), 0);
  order(OperatorVerb::Stop, {"j"});
  order(OperatorVerb::Restart, {"k"});
  jobs.pop_back();
  ASSERT_TRUE(apply(jobs));
  system.run_for(seconds(30));
  for (const std::string &name : all) EXPECT_EQ(system.count_in_diary("stop " + name + "/0 cancel SIGTERM"), 1) << name;
}

TEST_F(WatchTest, APauseLeavesNoTimeToAWorkerThatNeverLoads) {
  Script script = stuck();
  script.on_start = [](FakeWorker &worker) { worker.page.stage = static_cast<std::uint32_t>(Stage::Loading); };
  system.script("j", script);
  ASSERT_TRUE(apply({job_entry("j", 1, 1)}));
  system.run_for(seconds(1));
  order(OperatorVerb::Pause, {"j"});
  order(OperatorVerb::Resume, {"j"});
  system.run_for(seconds(30));
  EXPECT_EQ(system.count_in_diary("stop j/0 cancel SIGTERM"), 1);
}

TEST_F(WatchTest, ASliceThatYieldsAtItsDeadlineIsChargedAndTheNextOneGetsANewWorker) {
  Script script = stuck();
  script.on_lease = [](FakeWorker &worker, const Lease &lease) {
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker.page.begun = lease.begin;
    if (lease.begin == 0) return;  // looks at the stop word only
    worker.after(seconds(1), [&worker, lease] {
      worker.page.stage = static_cast<std::uint32_t>(Stage::Idle);
      worker.say(LeaseEnded{lease.id, lease.end});
    });
  };
  script.on_stop = [](FakeWorker &worker) {
    SliceEnded ended;
    ended.lease = 1;
    ended.slice = {0, 10};
    ended.claimed = true;
    ended.claimed_to = 4;
    ended.refused = StopWord::Deadline;
    worker.page.stage = static_cast<std::uint32_t>(Stage::Idle);
    worker.say(ended);
    worker.leave({false, 0, false});
  };
  system.script("j", script);
  auto job = job_entry("j", 1, 2);
  job.config.time_limit = seconds(8);
  job.config.attempts = 1;
  job.config.max_failed = {1, 0};
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(9) + milliseconds(10));
  EXPECT_TRUE(logged("slice 0-0: out of time: over its time limit of 8s; attempt 1 of 1, quarantined"));
  EXPECT_EQ(entry("j").workers[0].last_exit.text, "left when asked to");
  system.run_for(seconds(20));
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(system.count_in_diary("stop j/0 deadline SIGABRT"), 0);
}

TEST_F(WatchTest, AJobOfManyShortSlicesIsNeverOverItsTime) {
  system.script("j", job_script(seconds(3), [](const Lease &, Interval) { return SliceEnded{}; }));
  auto job = job_entry("j", 2, 100);
  job.config.time_limit = seconds(4);
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(10));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_FALSE(logged("out of time"));
}

}  // namespace
}  // namespace hostler
