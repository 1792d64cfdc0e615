// Services under the supervisor, in virtual time.
#include <csignal>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

class ServiceTest : public FleetTest {};

TEST_F(ServiceTest, AddedEntriesStartAsManyWorkersAsTheyCount) {
  ASSERT_TRUE(apply({service_entry("a", 3), service_entry("b", 1)}));
  EXPECT_EQ(system.alive("a").size(), 3U);
  EXPECT_EQ(entry("a").state, "running");
  EXPECT_EQ(system.alive("a")[2]->start.instance, 2);
  EXPECT_EQ(system.alive("a")[2]->start.count, 3);
  EXPECT_EQ(system.alive("b").size(), 1U);
}

TEST_F(ServiceTest, AReloadThatChangesTheHostAloneSaysSoAndDisturbsNobody) {
  const auto with_umask = [](std::uint32_t umask) {
    Prepared prepared;
    prepared.host.umask = umask;
    prepared.entries.push_back(service_entry("a", 1));
    return prepared;
  };
  const auto first = supervisor->apply(with_umask(027), {});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->host, "");  // nothing was before it
  system.run_for(milliseconds(50));
  const auto before = pids("a");
  EXPECT_EQ(supervisor->preview(with_umask(022), {})->host, "umask 027 → 022 (workers that run keep theirs)");
  EXPECT_EQ(supervisor->apply(with_umask(022), {})->host, "umask 027 → 022 (workers that run keep theirs)");
  system.run_for(milliseconds(50));
  EXPECT_EQ(supervisor->status().last_reload, "applied: host: umask 027 → 022 (workers that run keep theirs)");
  EXPECT_EQ(pids("a"), before);
  system.kill_from_outside("a", 0, SIGSEGV);
  system.run_for(seconds(1));
  EXPECT_EQ(system.alive("a").front()->start.umask, 022U);
  EXPECT_EQ(supervisor->apply(with_umask(022), {})->host, "");
  EXPECT_EQ(supervisor->status().last_reload, "applied: nothing to change");
}

TEST_F(ServiceTest, AKilledWorkerComesBackAfterTheDelayAndItsNeighboursKeepTheirPids) {
  ASSERT_TRUE(apply({service_entry("a", 3)}));
  const auto before = pids("a");
  system.kill_from_outside("a", 1, SIGSEGV);
  EXPECT_EQ(entry("a").workers[1].state, "backoff");
  EXPECT_EQ(entry("a").workers[1].last_exit.text, "killed by SIGSEGV");
  system.run_for(milliseconds(99));
  EXPECT_EQ(system.alive("a").size(), 2U);
  system.run_for(milliseconds(2));
  const auto after = pids("a");
  ASSERT_EQ(after.size(), 3U);
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(after[1], before[2]);
  EXPECT_EQ(entry("a").workers[1].restarts, 1);
}

TEST_F(ServiceTest, KillThatTheHostDidNotSendIsToldAsProbableOutOfMemory) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.kill_from_outside("a", 0, SIGKILL);
  EXPECT_EQ(entry("a").workers[0].last_exit.text, "killed by SIGKILL, not by the host: probably out of memory");
}

TEST_F(ServiceTest, ACrashLoopGivesUpAtTheLimitAndSaysSo) {
  Script script;
  script.on_start = [](FakeWorker &worker) {
    worker.say(Loaded{});
    worker.return_from_run(70);
  };
  system.script("a", script);
  auto looping = service_entry("a", 1);
  looping.config.restart.factor = 1;
  ASSERT_TRUE(apply({looping, service_entry("b", 1)}));
  system.run_for(minutes(10));
  EXPECT_EQ(entry("a").state, "failed");
  EXPECT_EQ(entry("a").workers[0].note, "gave up: 10 restarts within 1m; last: returned 70 (HOSTLER_ERROR)");
  EXPECT_EQ(entry("a").reason, "a/0: gave up: 10 restarts within 1m; last: returned 70 (HOSTLER_ERROR)");
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 11);
  EXPECT_EQ(entry("b").state, "running");
}

TEST_F(ServiceTest, WhatPutsItselfOffIsAskedLessAndLessOftenAndNeverGivenUp) {
  for (const int code : {75, 85}) {
    Script script;
    script.on_start = [code](FakeWorker &worker) {
      worker.say(Loaded{});
      worker.return_from_run(code);
    };
    const std::string name = "a" + std::to_string(code);
    system.script(name, script);
    ASSERT_TRUE(apply({service_entry(name, 1)}));
    system.run_for(minutes(1));
    EXPECT_EQ(system.count_in_diary("spawn " + name + "/0"), 10) << code;  // 100 ms, doubled each time
    system.run_for(minutes(60));
    EXPECT_EQ(entry(name).state, "backoff");
    EXPECT_EQ(entry(name).workers[0].note.substr(0, 24), "restart in 30s (put off ") << code;
  }
}

TEST_F(ServiceTest, ReturningDoneReapsTheWorkerForGood) {
  Script script;
  script.on_start = [](FakeWorker &worker) { worker.return_from_run(0); };
  system.script("a", script);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("a").state, "finished");
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 1);
  ASSERT_TRUE(apply({service_entry("a", 1)}));  // a reload does not start it again
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 1);
}

TEST_F(ServiceTest, BadConfigStopsTheWholeEntryAndNoOther) {
  Script script;
  script.on_start = [](FakeWorker &worker) {
    worker.say(Loaded{});
    if (worker.request.instance == 1) worker.return_from_run(78);
  };
  system.script("a", script);
  ASSERT_TRUE(apply({service_entry("a", 2), service_entry("b", 1)}));
  EXPECT_EQ(entry("a").state, "failed");
  EXPECT_EQ(entry("a").reason, "returned 78 (HOSTLER_BAD_CONFIG)");
  EXPECT_TRUE(system.alive("a").empty());
  EXPECT_EQ(system.alive("b").size(), 1U);
}

TEST_F(ServiceTest, AFailingForkIsTriedAgainWithBackoff) {
  system.fail_spawns(2, "Resource temporarily unavailable");
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  EXPECT_EQ(entry("a").workers[0].last_exit.text, "could not be started: fork: Resource temporarily unavailable");
  system.run_for(seconds(1));
  EXPECT_EQ(entry("a").state, "running");
}

TEST_F(ServiceTest, RaisingTheCountStartsTheDifferenceAndLoweringItStopsTheSurplus) {
  ASSERT_TRUE(apply({service_entry("a", 2)}));
  const auto two = pids("a");
  ASSERT_TRUE(apply({service_entry("a", 4)}));
  auto four = pids("a");
  ASSERT_EQ(four.size(), 4U);
  EXPECT_EQ(std::vector(four.begin(), four.begin() + 2), two);
  EXPECT_EQ(system.alive("a")[0]->count, 4);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  EXPECT_EQ(pids("a"), std::vector{two[0]});
  EXPECT_EQ(entry("a").workers.size(), 1U);
  EXPECT_EQ(system.alive("a")[0]->count, 1);
}

TEST_F(ServiceTest, AChangedBuildReplacesThatEntryAndNoOther) {
  ASSERT_TRUE(apply({service_entry("a", 2), service_entry("b", 2)}));
  const auto a = pids("a");
  const auto b = pids("b");
  auto changed = service_entry("a", 2);
  changed.build.hash = "b2";
  const auto plans = apply({changed, service_entry("b", 2)});
  ASSERT_TRUE(plans);
  EXPECT_EQ(plans->entries[0].action, EntryAction::Replace);
  EXPECT_EQ(plans->entries[1].action, EntryAction::Keep);
  EXPECT_EQ(system.count_in_diary("stop a/0 cancel SIGTERM"), 1);
  EXPECT_NE(pids("a"), a);
  EXPECT_EQ(pids("a").size(), 2U);
  EXPECT_EQ(pids("b"), b);
}

TEST_F(ServiceTest, AChangedParameterReplacesAndAChangedLimitDoesNot) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  const auto before = pids("a");
  auto limits = service_entry("a", 1);
  limits.config.restart.limit = 3;
  ASSERT_TRUE(apply({limits}));
  EXPECT_EQ(pids("a"), before);
  limits.config.params["x"] = "1";
  ASSERT_TRUE(apply({limits}));
  EXPECT_NE(pids("a"), before);
  EXPECT_EQ(system.alive("a")[0]->start.params.at("x"), "1");
}

TEST_F(ServiceTest, ARemovedEntryIsStoppedAndForgotten) {
  ASSERT_TRUE(apply({service_entry("a", 2), service_entry("b", 1)}));
  ASSERT_TRUE(apply({service_entry("b", 1)}));
  EXPECT_TRUE(system.alive("a").empty());
  EXPECT_EQ(supervisor->status().entries.size(), 1U);
}

TEST_F(ServiceTest, AnEntryAddedAgainWhileItStillStopsWaitsForItsFormerSelf) {
  Script stubborn;
  stubborn.on_stop = [](FakeWorker &) {};
  system.script("a", stubborn);
  ASSERT_TRUE(apply({service_entry("a", 1), service_entry("b", 1)}));
  ASSERT_TRUE(apply({service_entry("b", 1)}));
  ASSERT_TRUE(apply({service_entry("a", 1), service_entry("b", 1)}));
  EXPECT_EQ(system.alive("a").size(), 1U);
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 1);
  system.run_for(seconds(11));
  EXPECT_EQ(system.count_in_diary("kill a/0"), 1);
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 2);
  EXPECT_EQ(entry("a").state, "running");
}

TEST_F(ServiceTest, AWorkerThatIgnoresTheStopIsKilledAfterItsGrace) {
  Script stubborn;
  stubborn.on_stop = [](FakeWorker &) {};
  system.script("a", stubborn);
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  bool stopped = false;
  supervisor->stop([&] { stopped = true; });
  system.run_for(milliseconds(9999));
  EXPECT_FALSE(stopped);
  EXPECT_EQ(system.count_in_diary("kill a/0"), 0);
  system.run_for(milliseconds(2));
  EXPECT_TRUE(stopped);
}

TEST_F(ServiceTest, AStopWhileAForkIsUnderWayStartsNothing) {
  Prepared prepared;
  prepared.entries = {service_entry("a", 1)};
  ASSERT_TRUE(supervisor->apply(std::move(prepared), {}));
  supervisor->on_alarm();  // the fork has been asked for, its answer is not here yet
  bool stopped = false;
  supervisor->stop([&] { stopped = true; });
  system.run_for(seconds(1));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(system.count_in_diary("spawn a/0"), 1);
  EXPECT_EQ(system.count_in_diary("start a/0"), 0);
}

TEST_F(ServiceTest, EntriesStartAfterWhatTheyDependOn) {
  Script slow;
  slow.on_start = [](FakeWorker &worker) { worker.after(seconds(2), [&worker] { worker.say(Loaded{}); }); };
  system.script("base", slow);
  auto top = service_entry("top", 1);
  top.config.depends_on = {"base"};
  ASSERT_TRUE(apply({top, service_entry("base", 1)}));
  EXPECT_EQ(entry("top").state, "waiting");
  EXPECT_EQ(entry("top").reason, "waits for base");
  system.run_for(seconds(2));
  EXPECT_EQ(entry("top").state, "running");
}

class BlockedTest : public ServiceTest {
 protected:
  BlockedTest() {
    Script broken;
    broken.on_start = [](FakeWorker &worker) { worker.return_from_run(78); };
    system.script("base", broken);
    auto top = service_entry("top", 1);
    top.config.depends_on = {"base"};
    EXPECT_TRUE(apply({top, service_entry("base", 1)}));
  }
};

TEST_F(BlockedTest, WhatDependsOnAFailedEntryFailsWithItAndSaysWhy) {
  EXPECT_EQ(entry("top").state, "failed");
  EXPECT_EQ(entry("top").reason, "depends on base, which has failed");
}

TEST_F(ServiceTest, WhatIsStartedAgainBeginsAfterWhatItDependsOnAsTheFirstTime) {
  Script once;
  once.on_start = [](FakeWorker &worker) { worker.after(seconds(2), [&worker] { worker.return_from_run(0); }); };
  system.script("db", once);
  system.script("app", once);
  auto app = service_entry("app", 1);
  app.config.depends_on = {"db"};
  ASSERT_TRUE(apply({app, service_entry("db", 1)}));
  system.run_for(seconds(10));
  ASSERT_EQ(entry("app").state, "finished");
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {}, true, 0, {}, {}}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("db").state, "starting");
  EXPECT_EQ(entry("app").state, "waiting");
  EXPECT_EQ(entry("app").reason, "waits for db");
  system.run_for(seconds(10));
  EXPECT_EQ(entry("app").state, "finished");
  EXPECT_EQ(system.count_in_diary("start app/0"), 2);
}

TEST_F(BlockedTest, WaitsOnceWhatItDependsOnIsTriedAgain) {
  ASSERT_EQ(entry("top").state, "failed");
  Script slow;
  slow.on_start = [](FakeWorker &worker) { worker.after(seconds(2), [&worker] { worker.say(Loaded{}); }); };
  system.script("base", slow);
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {"base"}, false, 0, {}, {}}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("top").state, "waiting");
  EXPECT_EQ(entry("top").reason, "waits for base");
  system.run_for(seconds(2));
  EXPECT_EQ(entry("top").state, "running");
}

TEST_F(ServiceTest, AnIdleFleetSetsNoAlarm) {
  ASSERT_TRUE(apply({service_entry("a", 100)}));
  system.run_for(minutes(5));
  const auto lines = system.diary().size();
  system.run_for(std::chrono::hours(10));
  EXPECT_EQ(system.diary().size(), lines);
}

TEST_F(ServiceTest, StopAtOnceKillsWithoutGrace) {
  ASSERT_TRUE(apply({service_entry("a", 2)}));
  bool stopped = false;
  supervisor->stop_at_once([&] { stopped = true; });
  system.run_for(milliseconds(1));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(system.count_in_diary("kill a/1"), 1);
}

TEST_F(ServiceTest, ACrashIsToldAtOnceAndExplainedWhenItsBacktraceIsFound) {
  system.set_backtrace(a_backtrace(), seconds(1));
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.alive("a")[0]->crash = a_crash();
  system.kill_from_outside("a", 0, SIGSEGV);
  EXPECT_EQ(entry("a").workers[0].last_exit.text, "killed by SIGSEGV (address 0x8), libc.so.6+0x12");
  EXPECT_TRUE(logged("killed by SIGSEGV (address 0x8), libc.so.6+0x12"));
  EXPECT_NE(system.last_report().find("killed by SIGSEGV (address 0x8), libc.so.6+0x12\n"), std::string::npos);
  system.run_for(seconds(2));
  EXPECT_EQ(entry("a").workers[0].last_exit.text, "killed by SIGSEGV (address 0x8), a.so+0x34 in parse (parse.cc:12)");
  EXPECT_EQ(entry("a").workers[0].crash_report, "/state/crashes/a/1.txt");
  EXPECT_TRUE(logged("#0  parse (/src/parse.cc:12) a.so+0x34"));
  EXPECT_EQ(system.alive("a").size(), 1U) << "the restart has not waited";
}

TEST_F(ServiceTest, TheReasonOfAnEntryThatACrashHasStoppedIsExplainedToo) {
  system.set_backtrace(a_backtrace(), seconds(1));
  auto service = service_entry("a", 1);
  service.config.on_exit = {{{}, {SIGSEGV}, ExitAction::FailEntry}};
  ASSERT_TRUE(apply({service}));
  system.alive("a")[0]->crash = a_crash();
  system.kill_from_outside("a", 0, SIGSEGV);
  system.run_for(seconds(2));
  EXPECT_EQ(entry("a").state, "failed");
  EXPECT_EQ(entry("a").reason.substr(0, 76),
            "killed by SIGSEGV (address 0x8), a.so+0x34 in parse (parse.cc:12) (by on_exi");
}

TEST_F(ServiceTest, WhatRunReturnedIsToldWholeThoughAnExitCodeHasEightBits) {
  Script script;
  script.on_start = [](FakeWorker &worker) { worker.return_from_run(worker.request.instance == 0 ? 256 : -1); };
  system.script("a", script);
  auto service = service_entry("a", 2);
  service.config.restart.limit = 0;
  ASSERT_TRUE(apply({service}));
  EXPECT_EQ(entry("a").workers[0].last_exit.code, 256);
  EXPECT_EQ(entry("a").workers[1].last_exit.code, -1);
  EXPECT_EQ(entry("a").workers[1].last_exit.text, "returned -1");
}

TEST_F(ServiceTest, WhatAPluginTellsOfItsProgressStandsInItsStatus) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  EXPECT_EQ(entry("a").workers[0].progress.total, 0);
  system.alive("a")[0]->page.progress_done = 12;
  system.alive("a")[0]->page.progress_total = 30;
  EXPECT_EQ(entry("a").workers[0].progress.done, 12);
  EXPECT_EQ(entry("a").workers[0].progress.total, 30);
}

TEST_F(ServiceTest, ABacktraceThatComesAfterTheNextExitIsOnlyLogged) {
  system.set_backtrace(a_backtrace(), seconds(10));
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.alive("a")[0]->crash = a_crash();
  system.kill_from_outside("a", 0, SIGSEGV);
  system.run_for(seconds(1));
  system.kill_from_outside("a", 0, SIGTERM);
  system.run_for(seconds(20));
  EXPECT_EQ(entry("a").workers[0].last_exit.text, "killed by SIGTERM");
  EXPECT_EQ(entry("a").workers[0].crash_report, "");
  EXPECT_TRUE(logged("#0  parse"));
}

TEST_F(ServiceTest, ABacktraceForAnEntryThatIsGoneIsStillLogged) {
  system.set_backtrace(a_backtrace(), seconds(1));
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  system.alive("a")[0]->crash = a_crash();
  system.kill_from_outside("a", 0, SIGSEGV);
  ASSERT_TRUE(apply({}));
  system.run_for(seconds(2));
  EXPECT_TRUE(logged("#0  parse"));
}

TEST_F(ServiceTest, TheEndWaitsForBacktracesButNotForEver) {
  system.set_backtrace(a_backtrace(), seconds(1));
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  bool stopped = false;
  system.alive("a")[0]->crash = a_crash();
  system.kill_from_outside("a", 0, SIGSEGV);
  system.set_backtrace(a_backtrace(), minutes(10));
  supervisor->stop([&] { stopped = true; });
  system.run_for(milliseconds(900));
  EXPECT_FALSE(stopped);
  system.run_for(milliseconds(200));
  EXPECT_TRUE(stopped);
  EXPECT_TRUE(logged("#0  parse"));
}

TEST_F(ServiceTest, WhatCrashesInALoopIsTriedOneAtATimeButTheFirstRestartWaitsForNobody) {
  ASSERT_TRUE(apply({service_entry("b", 1)}));
  auto looping = service_entry("a", 50);
  looping.config.restart.delay = looping.config.restart.max_delay = {};
  looping.config.restart.limit = 1'000'000;
  Script script;
  script.on_start = [this](FakeWorker &worker) {
    worker.after(milliseconds(10), [this, &worker] {
      EXPECT_LE(system.alive("a").size(), 50U);
      worker.say(Loaded{});
      worker.return_from_run(70);
    });
  };
  system.script("a", script);
  ASSERT_TRUE(apply({looping, service_entry("b", 1)}));
  // All 50 have been started again once by now, together; then one in each ten milliseconds.
  EXPECT_GE(std::count_if(system.diary().begin(), system.diary().end(),
                          [](const std::string &line) { return line.starts_with("spawn a/"); }),
            100);
  std::size_t most = 0;
  for (int i = 0; i < 100; ++i) {
    system.run_for(milliseconds(10));
    most = std::max(most, system.alive("a").size());
  }
  EXPECT_LE(most, 2U);
  EXPECT_GE(most, 1U);
  // Everybody gets a turn.
  for (int i = 0; i < 50; ++i) EXPECT_GE(system.count_in_diary("spawn a/" + std::to_string(i)), 3) << i;
  EXPECT_EQ(entry("b").workers[0].restarts, 0);
  looping.config.count = 3;  // some that wait for their turn go
  ASSERT_TRUE(apply({looping, service_entry("b", 1)}));
  system.script("a", {});
  system.run_for(seconds(1));
  EXPECT_EQ(system.alive("a").size(), 3U);
  EXPECT_EQ(entry("a").state, "running");
}

TEST_F(ServiceTest, OneThatHangsWhileItLoadsHasItsTurnForASecondAtMost) {
  auto looping = service_entry("a", 3);
  looping.config.restart.delay = looping.config.restart.max_delay = {};
  looping.config.restart.limit = 1'000'000;
  bool hang = false;
  Script script;
  script.on_start = [&hang](FakeWorker &worker) {
    worker.after(milliseconds(5), [&hang, &worker] {
      if (hang) return;
      worker.say(Loaded{});
      worker.return_from_run(70);
    });
  };
  system.script("a", script);
  ASSERT_TRUE(apply({looping}));
  hang = true;
  system.run_for(milliseconds(2500));
  EXPECT_EQ(system.alive("a").size(), 3U);
}

TEST_F(ServiceTest, WhoIsKilledFromOutsideAgainAndAgainWaitsForNoTurn) {
  auto killed = service_entry("a", 20);
  killed.config.restart.delay = killed.config.restart.max_delay = {};
  killed.config.restart.limit = 1'000'000;
  ASSERT_TRUE(apply({killed}));
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) system.kill_from_outside("a", i, SIGKILL);
    system.run_for(milliseconds(1));
    EXPECT_EQ(system.alive("a").size(), 20U);
  }
}

}  // namespace
}  // namespace hostler
