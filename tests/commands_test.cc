// start, stop, restart and scale under the supervisor, in virtual time; also across a host that dies.
#include <csignal>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

class CommandsTest : public FleetTest {
 protected:
  Result<std::vector<std::string>> say(OperatorVerb verb, std::vector<std::string> names, std::int32_t count = 0) {
    OperatorCommand command;
    command.verb = verb;
    command.all = names.empty();
    command.names = std::move(names);
    command.count = count;
    auto meant = supervisor->command(command);
    system.run_for(milliseconds(50));
    return meant;
  }
  auto start(const std::string &name) { return say(OperatorVerb::Start, {name}); }
  auto stop(const std::string &name) { return say(OperatorVerb::Stop, {name}); }
  std::string outcome_of(OperatorVerb verb, const std::string &name) {
    const auto outcome = supervisor->outcome_of(verb, name);
    return outcome ? (outcome->ok ? "ok " : "not ok ") + outcome->words : "under way";
  }
  // run() returns this at once.
  void returning(const std::string &name, std::int32_t value) {
    Script script;
    script.on_start = [value](FakeWorker &worker) {
      worker.say(Loaded{});
      worker.return_from_run(value);
    };
    system.script(name, script);
  }
};

TEST_F(CommandsTest, WhatIsStoppedStaysStoppedAcrossReloadsUntilSomebodyStartsIt) {
  ASSERT_TRUE(apply({service_entry("a", 2), service_entry("b", 1)}));
  const auto b = pids("b");
  ASSERT_TRUE(stop("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Stop, "a"), "ok a: stopped; stopped by operator");
  EXPECT_TRUE(system.alive("a").empty());
  EXPECT_TRUE(entry("a").stopped);
  auto changed = service_entry("a", 3);
  changed.build.hash = "b2";
  ASSERT_TRUE(apply({changed, service_entry("b", 1)}));
  system.run_for(minutes(10));
  EXPECT_TRUE(system.alive("a").empty());
  EXPECT_EQ(entry("a").reason, "stopped by operator");
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Start, "a"), "ok a: running, 3 workers");
  EXPECT_FALSE(entry("a").stopped);
  EXPECT_EQ(pids("b"), b);
}

TEST_F(CommandsTest, TheSizeOfAFleetIsThatOfTheFileWithoutWhatMayNotRun) {
  EXPECT_EQ(supervisor->size_words(), "0 workers of 0 entries");
  ASSERT_TRUE(apply({service_entry("a", 2), service_entry("b", 1)}));
  EXPECT_EQ(supervisor->size_words(), "3 workers of 2 entries");
  ASSERT_TRUE(stop("a"));
  EXPECT_EQ(supervisor->size_words(), "1 worker of 2 entries");
}

TEST_F(CommandsTest, AStopIsUnderWayUntilTheLastWorkerIsGone) {
  Script stubborn;
  stubborn.on_stop = [](FakeWorker &) {};
  system.script("a", stubborn);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  ASSERT_TRUE(stop("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Stop, "a"), "under way");
  system.run_for(seconds(11));
  EXPECT_EQ(outcome_of(OperatorVerb::Stop, "a"), "ok a: stopped; stopped by operator");
}

TEST_F(CommandsTest, AStopThatSomebodyTakesBackBeforeItIsDoneSaysSoAndDoesNotWaitForEver) {
  Script stubborn;
  stubborn.on_stop = [](FakeWorker &) {};
  system.script("a", stubborn);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  ASSERT_TRUE(stop("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Stop, "a"), "under way");
  ASSERT_TRUE(start("a"));
  system.run_for(seconds(15));
  EXPECT_EQ(outcome_of(OperatorVerb::Stop, "a"), "not ok a: running, 1 worker; another order came meanwhile");
  EXPECT_EQ(outcome_of(OperatorVerb::Start, "a"), "ok a: running, 1 worker");
}

TEST_F(CommandsTest, AStopOutlivesTheHostHoweverItEnds) {
  system.script("j", job_script(seconds(1), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({service_entry("a", 1), job_entry("j", 1, 3)}));
  ASSERT_TRUE(say(OperatorVerb::Stop, {"a", "j"}));
  crash_and_boot({"a", "j"});
  ASSERT_TRUE(apply({service_entry("a", 1), job_entry("j", 1, 3)}));
  system.run_for(minutes(1));
  EXPECT_TRUE(system.alive("a").empty());
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_TRUE(entry("a").stopped);
  EXPECT_EQ(entry("j").state, "stopped");
  ASSERT_TRUE(start("a"));
  crash_and_boot({"a", "j"});
  ASSERT_TRUE(apply({service_entry("a", 1), job_entry("j", 1, 3)}));
  EXPECT_EQ(entry("a").state, "running");
  EXPECT_TRUE(entry("j").stopped);
}

TEST_F(CommandsTest, AnEntryThatLeavesTheFileAndComesBackIsStillStopped) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  ASSERT_TRUE(stop("a"));
  ASSERT_TRUE(apply({}));
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.run_for(minutes(1));
  EXPECT_TRUE(system.alive("a").empty());
}

TEST_F(CommandsTest, AStopThatTheLedgerRefusesActsAndSaysWhatIsMissing) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  store.fail_with("disk on fire");
  ASSERT_TRUE(stop("a"));
  EXPECT_TRUE(system.alive("a").empty());
  EXPECT_EQ(outcome_of(OperatorVerb::Stop, "a"),
            "not ok a: stopped; stopped by operator; the next host will not know of it: ledger: disk on fire");
}

TEST_F(CommandsTest, AStoppedJobGoesOnWhereItStoodAndIsNoReasonForARunToWait) {
  system.script("j", job_script(seconds(1), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({job_entry("j", 1, 5)}));
  system.run_for(milliseconds(1500));
  EXPECT_FALSE(supervisor->jobs_ended());
  ASSERT_TRUE(stop("j"));
  system.run_for(seconds(2));
  EXPECT_TRUE(supervisor->jobs_ended());
  EXPECT_EQ(entry("j").state, "stopped");
  EXPECT_EQ(entry("j").progress.done, 2);
  ASSERT_TRUE(start("j"));
  EXPECT_FALSE(supervisor->jobs_ended());
  system.run_for(seconds(4));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(CommandsTest, StartBringsAFailedServiceBackWithAFreshRestartLimit) {
  returning("a", 70);
  auto looping = service_entry("a", 1);
  looping.config.restart.factor = 1;
  ASSERT_TRUE(apply({looping}));
  system.run_for(minutes(5));
  ASSERT_EQ(entry("a").state, "failed");
  ASSERT_EQ(system.count_in_diary("spawn a/0"), 11);
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Start, "a"),
            "not ok a: backoff; a/0: restart in 100ms (failure 1 in a row); last: returned 70 (HOSTLER_ERROR)");
  system.run_for(minutes(5));
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 22);
  returning("a", 78);
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Start, "a"), "not ok a: failed; returned 78 (HOSTLER_BAD_CONFIG)");
  system.script("a", {});
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(outcome_of(OperatorVerb::Start, "a"), "ok a: running, 1 worker");
}

TEST_F(CommandsTest, StartDoesNotWaitForTheBackoff) {
  auto slow = service_entry("a", 1);
  slow.config.restart.delay = slow.config.restart.max_delay = minutes(10);
  ASSERT_TRUE(apply({slow}));
  system.kill_from_outside("a", 0, SIGSEGV);
  system.run_for(seconds(1));
  EXPECT_EQ(entry("a").state, "backoff");
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(entry("a").state, "running");
}

TEST_F(CommandsTest, StartRunsAFinishedServiceAgainAndLeavesOneThatRunsAlone) {
  returning("a", 0);
  ASSERT_TRUE(apply({service_entry("a", 1), service_entry("b", 1)}));
  EXPECT_EQ(entry("a").state, "finished");
  const auto b = pids("b");
  ASSERT_TRUE(say(OperatorVerb::Start, {}));
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 2);
  EXPECT_EQ(pids("b"), b);
}

TEST_F(CommandsTest, AnEndedJobIsNotStartedButSaysHowItMayBe) {
  system.script("j", job_script(milliseconds(1), [](const Lease &, Interval slice) {
                  SliceEnded ended;
                  ended.returned = slice.begin == 10 ? 65 : 0;
                  return ended;
                }));
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  system.run_for(seconds(1));
  ASSERT_EQ(entry("j").state, "failed");
  EXPECT_EQ(start("j").error().text(),
            "j: has ended: failed; --fresh j starts it from zero, --resume j tries again what is not done");
  EXPECT_TRUE(say(OperatorVerb::Start, {})->empty());
}

TEST_F(CommandsTest, StartWithResumeOrFreshConcernsThatJobAndNoChangeOfItsNeighbours) {
  bool bad = true;
  system.script("j", job_script(milliseconds(1), [&bad](const Lease &, Interval slice) {
                  SliceEnded ended;
                  ended.returned = bad && slice.begin == 10 ? 65 : 0;
                  return ended;
                }));
  ASSERT_TRUE(apply({job_entry("j", 1, 3), service_entry("a", 1)}));
  system.run_for(seconds(1));
  ASSERT_TRUE(stop("a"));
  bad = false;
  Prepared prepared;
  prepared.entries = {job_entry("j", 1, 3), service_entry("a", 5), service_entry("new", 1)};
  const auto plans = supervisor->apply_named(std::move(prepared), {{}, {"j"}});
  ASSERT_TRUE(plans);
  ASSERT_EQ(plans->entries.size(), 1U);
  ASSERT_TRUE(start("j"));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(entry("a").count, 1);
  EXPECT_TRUE(entry("a").stopped);
  EXPECT_EQ(entry("new").name, "");
}

TEST_F(CommandsTest, RestartReplacesEveryWorkerAndNoOthers) {
  ASSERT_TRUE(apply({service_entry("a", 3), service_entry("b", 1)}));
  const auto a = pids("a");
  const auto b = pids("b");
  ASSERT_TRUE(say(OperatorVerb::Restart, {"a"}));
  EXPECT_EQ(outcome_of(OperatorVerb::Restart, "a"), "ok a: running, 3 workers");
  const auto now = pids("a");
  ASSERT_EQ(now.size(), 3U);
  for (const int pid : now) EXPECT_EQ(std::count(a.begin(), a.end(), pid), 0);
  EXPECT_EQ(pids("b"), b);
}

TEST_F(CommandsTest, ARestartThatTheEndOfTheHostCutsOffSaysSo) {
  Script stubborn;
  stubborn.on_stop = [](FakeWorker &) {};
  system.script("a", stubborn);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  ASSERT_TRUE(say(OperatorVerb::Restart, {"a"}));
  supervisor->stop([] {});
  system.run_for(seconds(15));
  EXPECT_EQ(outcome_of(OperatorVerb::Restart, "a"), "not ok a: stopped; the host is stopping");
  EXPECT_EQ(outcome_of(OperatorVerb::Pause, "a"), "ok a: stopped");
}

TEST_F(CommandsTest, RestartOfAJobLetsTheSliceEndAndLosesNothing) {
  system.script("j", job_script(seconds(2), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  const auto before = pids("j");
  ASSERT_TRUE(say(OperatorVerb::Restart, {"j"}));
  EXPECT_EQ(outcome_of(OperatorVerb::Restart, "j"), "under way");
  system.run_for(seconds(2));
  EXPECT_NE(pids("j"), before);
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(entry("j").progress.retries, 0);
}

TEST_F(CommandsTest, RestartOfAJobThatEndsMeanwhileWaitsForItsVerdict) {
  system.script("j", job_script(seconds(2), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({job_entry("j", 1, 1)}));
  ASSERT_TRUE(say(OperatorVerb::Restart, {}));
  std::string answer = "under way";
  for (int i = 0; i < 5000 && answer == "under way"; ++i) {
    system.run_for(milliseconds(1));
    answer = outcome_of(OperatorVerb::Restart, "j");
  }
  EXPECT_EQ(answer, "ok j: succeeded");
}

TEST_F(CommandsTest, RestartDoesNotLiftAStop) {
  ASSERT_TRUE(apply({service_entry("a", 1), service_entry("b", 1)}));
  ASSERT_TRUE(stop("a"));
  EXPECT_EQ(say(OperatorVerb::Restart, {"a"}).error().text(), "a: was stopped by an operator (hostler start a)");
  EXPECT_EQ(*say(OperatorVerb::Restart, {}), std::vector<std::string>{"b"});
  EXPECT_TRUE(system.alive("a").empty());
}

TEST_F(CommandsTest, ScaleHoldsUntilTheFileBringsAnotherCount) {
  ASSERT_TRUE(apply({service_entry("a", 2)}));
  const auto two = pids("a");
  ASSERT_TRUE(say(OperatorVerb::Scale, {"a"}, 4));
  EXPECT_EQ(outcome_of(OperatorVerb::Scale, "a"), "ok a: running, 4 workers; scaled to 4, the file says 2");
  auto four = pids("a");
  EXPECT_EQ(std::vector(four.begin(), four.begin() + 2), two);
  EXPECT_EQ(system.alive("a")[0]->count, 4);
  auto other = service_entry("a", 2);
  other.config.restart.limit = 5;
  ASSERT_TRUE(apply({other}));
  EXPECT_EQ(pids("a"), four);
  ASSERT_TRUE(apply({service_entry("a", 3)}));
  EXPECT_EQ(pids("a").size(), 3U);
  EXPECT_EQ(entry("a").reason, "");
  ASSERT_TRUE(say(OperatorVerb::Scale, {"a"}, 1));
  EXPECT_EQ(pids("a").size(), 1U);
}

TEST_F(CommandsTest, AScaledJobHasMoreWorkersAndAStoppedEntryScalesForLater) {
  system.script("j", job_script(seconds(1), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({job_entry("j", 1, 30), service_entry("a", 1)}));
  ASSERT_TRUE(say(OperatorVerb::Scale, {"j"}, 3));
  EXPECT_EQ(system.alive("j").size(), 3U);
  ASSERT_TRUE(stop("a"));
  ASSERT_TRUE(say(OperatorVerb::Scale, {"a"}, 2));
  EXPECT_TRUE(system.alive("a").empty());
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(system.alive("a").size(), 2U);
}

TEST_F(CommandsTest, AWrongNameChangesNothingAndTheNearestIsNamed) {
  ASSERT_TRUE(apply({service_entry("tick", 1), service_entry("tock", 1)}));
  EXPECT_EQ(say(OperatorVerb::Stop, {"tick", "tack"}).error().text(),
            "tack: no entry has this name (did you mean tick?)");
  EXPECT_EQ(pids("tick").size(), 1U);
  EXPECT_FALSE(say(OperatorVerb::Scale, {"tick"}, 0));
}

TEST_F(CommandsTest, WhatDependsOnAStoppedEntryWaitsAndSaysForWhom) {
  auto dependent = service_entry("b", 1);
  dependent.config.depends_on = {"a"};
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  ASSERT_TRUE(stop("a"));
  ASSERT_TRUE(apply({service_entry("a", 1), dependent}));
  EXPECT_EQ(entry("b").reason, "waits for a, which an operator stopped");
  EXPECT_EQ(outcome_of(OperatorVerb::Start, "b"), "ok b: waiting; waits for a, which an operator stopped");
  ASSERT_TRUE(start("a"));
  EXPECT_EQ(entry("b").state, "running");
}

}  // namespace
}  // namespace hostler
