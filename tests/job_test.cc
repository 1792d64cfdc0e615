// Jobs under the supervisor, in virtual time: every slice exactly once, whatever dies.
#include <csignal>
#include <map>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

class JobTest : public FleetTest {
 protected:
  // Each slice has a result and counts itself; `verdict` may make it fail.
  void script(const std::string &name, Duration each,
              std::function<std::int32_t(const Lease &, Interval)> verdict = nullptr) {
    system.script(name, job_script(each, [this, verdict](const Lease &lease, Interval slice) {
                    SliceEnded ended;
                    ended.returned = verdict ? verdict(lease, slice) : 0;
                    ++runs[slice.begin];
                    if (ended.returned != 0) return ended;
                    ended.counters["slices"] = 1;
                    ended.has_result = true;
                    ended.result = std::to_string(slice.begin);
                    return ended;
                  }));
  }
  void expect_all_done(const std::string &name, std::int64_t slices) {
    EXPECT_EQ(store.results(name).size(), static_cast<std::size_t>(slices));
    EXPECT_EQ(store.job(name).counters.at("slices"), slices);
    const auto rows = store.load()[0].rows;
    ASSERT_EQ(rows.size(), 1U);  // all done, nothing to remember: one row
    EXPECT_EQ(rows[0].state, SliceState::Done);
    EXPECT_EQ(rows[0].end, slices * 10);
  }
  std::map<std::int64_t, int> runs;
};

TEST_F(JobTest, ASliceWhoseCountersTheJobCannotTakeFails) {
  const auto count = [&](const char *name, std::function<void(SliceEnded &)> how) {
    system.script(name, job_script(milliseconds(30), [how](const Lease &, Interval) {
                    SliceEnded ended;
                    how(ended);
                    return ended;
                  }));
    ASSERT_TRUE(apply({job_entry(name, 1, 2)}));
    system.run_for(minutes(10));
    EXPECT_EQ(entry(name).state, "failed");
    EXPECT_EQ(entry(name).progress.done, 1);
    EXPECT_EQ(entry(name).progress.quarantined, 1);
  };
  count("overflow", [](SliceEnded &ended) { ended.counters["c"] = std::numeric_limits<std::int64_t>::max(); });
  EXPECT_EQ(entry("overflow").counters.at("c"), std::numeric_limits<std::int64_t>::max());
  int slices = 0;
  count("many", [&slices](SliceEnded &ended) {
    for (int i = 0; i < 600; ++i) ended.counters[std::to_string(slices == 0 ? i : 1000 + i)] = 1;
    ++slices;
  });
  EXPECT_EQ(entry("many").counters.size(), 600U);
}

TEST_F(JobTest, WhyAJobWasStoppedStandsInTheLedgerUntilItIsStartedAgain) {
  bool broken = true;
  script("j", milliseconds(30), [&](const Lease &, Interval) { return broken ? 78 : 0; });
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_EQ(store.job("j").state, JobState::Running);
  EXPECT_EQ(store.job("j").reason, entry("j").reason);
  EXPECT_NE(store.job("j").reason.find("returned 78"), std::string::npos);
  broken = false;
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {"j"}, false, 0, {}, {}}));
  system.run_for(milliseconds(20));
  EXPECT_EQ(store.job("j").reason, "");
  system.run_for(minutes(1));
  EXPECT_EQ(store.job("j").state, JobState::Succeeded);
}

TEST_F(JobTest, RunsEverySliceOnceAndSucceeds) {
  script("j", milliseconds(30));
  ASSERT_TRUE(apply({job_entry("j", 2, 20)}));
  EXPECT_EQ(entry("j").state, "running");
  system.run_for(seconds(10));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_TRUE(supervisor->jobs_ended());
  EXPECT_TRUE(system.alive("j").empty());
  EXPECT_EQ(runs.size(), 20U);
  for (const auto &[begin, times] : runs) EXPECT_EQ(times, 1) << begin;
  expect_all_done("j", 20);
  EXPECT_EQ(store.job("j").state, JobState::Succeeded);
}

TEST_F(JobTest, SlicesThatEndWhileATransactionIsOnItsWayAreOneBatch) {
  script("j", std::chrono::microseconds(10));  // a transaction takes a hundred times as long
  ASSERT_TRUE(apply({job_entry("j", 2, 1000)}));
  system.run_for(seconds(10));
  EXPECT_EQ(entry("j").state, "succeeded");
  expect_all_done("j", 1000);
  EXPECT_LT(store.batches(), 200);
}

// So a host that is killed never has slices done of which `joblog` knows nothing.
TEST_F(JobTest, EachTransactionThatMakesSlicesDoneTellsWhoDidThem) {
  script("j", milliseconds(1));
  ASSERT_TRUE(apply({job_entry("j", 2, 1000)}));
  std::int64_t done = 0;
  for (int step = 0; step < 10'000 && entry("j").state != "succeeded"; ++step) {
    system.run_for(std::chrono::microseconds(300));
    done = 0;
    for (const SliceRow &row : store.rows("j"))
      if (row.state == SliceState::Done) done += row.end - row.begin;
    std::int64_t told = 0;
    for (const auto &[seq, attempt] : store.attempts("j")) told += attempt.range.positions;
    ASSERT_EQ(told, done);
  }
  EXPECT_EQ(done, 10'000);
}

TEST_F(JobTest, AFinishedJobIsNotRunAgain) {
  script("j", milliseconds(1));
  ASSERT_TRUE(apply({job_entry("j", 2, 5)}));
  system.run_for(seconds(1));
  ASSERT_TRUE(apply({job_entry("j", 2, 5)}));
  crash_and_boot({"j"});
  ASSERT_TRUE(apply({job_entry("j", 2, 5)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  for (const auto &[begin, times] : runs) EXPECT_EQ(times, 1) << begin;
}

TEST_F(JobTest, AFailingSliceIsTriedAgainAndThenQuarantined) {
  script("j", milliseconds(1), [](const Lease &, Interval slice) { return slice.begin == 30 ? 70 : 0; });
  auto job = job_entry("j", 2, 10);
  job.config.attempts = 3;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(runs[30], 3);
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_EQ(entry("j").progress.quarantined, 1);
  EXPECT_TRUE(logged("returned 70 (HOSTLER_ERROR)"));
}

TEST_F(JobTest, QuarantinedSlicesWithinTheToleranceMakeItPartial) {
  script("j", milliseconds(1), [](const Lease &, Interval slice) { return slice.begin == 30 ? 65 : 0; });
  auto job = job_entry("j", 2, 10);
  job.config.max_failed.percent = 10;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(runs[30], 1);
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(store.results("j").size(), 9U);
}

TEST_F(JobTest, ASliceThatIsDueWhileEverybodyIsBusyWaitsForOneWhoIsFree) {
  script("j", seconds(5), [this](const Lease &, Interval slice) { return slice.begin == 0 && runs[0] == 0 ? 75 : 0; });
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  const auto alarms = system.alarms();
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs[0], 2);
  EXPECT_LT(system.alarms() - alarms, 100);
}

TEST_F(JobTest, SlicesThatWaitForTheirNextAttemptAreNotForgottenOnceAnotherHadToWaitLonger) {
  script("j", milliseconds(60),
         [this](const Lease &, Interval slice) { return runs[slice.begin] < (slice.begin == 20 ? 1 : 2) ? 70 : 0; });
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(JobTest, ACrashChargesOnlyTheSliceItHappenedIn) {
  script("j", milliseconds(1),
         [this](const Lease &, Interval slice) { return slice.begin == 40 && runs[40] == 0 ? kCrash : 0; });
  ASSERT_TRUE(apply({job_entry("j", 1, 10)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs[40], 2);
  EXPECT_EQ(entry("j").progress.retries, 1);
  EXPECT_EQ(store.results("j").size(), 10U);
  EXPECT_EQ(store.job("j").counters.at("slices"), 10);
}

TEST_F(JobTest, ADeadHostLosesNothingThatWasCommittedAndRunsTheRest) {
  script("j", milliseconds(20));
  for (int life = 0; life < 40; ++life) {
    ASSERT_TRUE(apply({job_entry("j", 3, 60)}));
    system.run_for(milliseconds(17 + 13 * (life % 7)));
    if (entry("j").state == "succeeded") break;
    crash_and_boot({"j"});
  }
  ASSERT_TRUE(apply({job_entry("j", 3, 60)}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  expect_all_done("j", 60);
}

TEST_F(JobTest, StoppingDrainsSoThatTheSliceInWorkStillCounts) {
  script("j", seconds(3));
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  system.run_for(seconds(1));
  bool stopped = false;
  supervisor->stop([&] { stopped = true; });
  system.run_for(seconds(5));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(store.results("j").size(), 1U);
  EXPECT_EQ(store.job("j").state, JobState::Running);
}

TEST_F(JobTest, AFullDiskDoesNotKeepTheHostFromStopping) {
  script("j", milliseconds(30));
  ASSERT_TRUE(apply({job_entry("j", 2, 100)}));
  store.stall();
  system.run_for(seconds(1));
  bool stopped = false;
  supervisor->stop([&] { stopped = true; });
  system.run_for(seconds(2));
  EXPECT_FALSE(stopped);  // it may get better soon
  EXPECT_TRUE(system.alive("j").empty());
  system.run_for(seconds(10));
  EXPECT_TRUE(stopped);
}

TEST_F(JobTest, StoppingAtOnceDoesNotWaitForAFullDisk) {
  script("j", milliseconds(30));
  ASSERT_TRUE(apply({job_entry("j", 2, 100)}));
  store.stall();
  system.run_for(seconds(1));
  bool stopped = false;
  supervisor->stop_at_once([&] { stopped = true; });
  system.run_for(milliseconds(500));
  EXPECT_TRUE(stopped);
}

TEST_F(JobTest, AChangedJobKeepsItsOldSettingsUntilTold) {
  script("j", milliseconds(1));
  auto job = job_entry("j", 1, 5);
  job.config.params["x"] = "1";
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  job.config.params["x"] = "2";
  auto plans = apply({job});
  ASSERT_TRUE(plans);
  EXPECT_EQ(plans->entries[0].action, EntryAction::Hold);
  EXPECT_NE(entry("j").held.find("params.x"), std::string::npos) << entry("j").held;
  EXPECT_EQ(runs[0], 1);
  crash_and_boot({"j"});
  ASSERT_TRUE(apply({job}));  // also a start of the host asks
  EXPECT_FALSE(entry("j").held.empty());
  plans = apply({job}, {{"j"}, {}});
  ASSERT_TRUE(plans);
  EXPECT_EQ(plans->entries[0].action, EntryAction::Fresh);
  system.run_for(seconds(1));
  EXPECT_EQ(runs[0], 2);
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_TRUE(entry("j").held.empty());
  expect_all_done("j", 5);
}

TEST_F(JobTest, ResumeKeepsWhatIsDone) {
  script("j", milliseconds(1));
  ASSERT_TRUE(apply({job_entry("j", 1, 5)}));
  system.run_for(seconds(1));
  ASSERT_TRUE(apply({job_entry("j", 1, 8)}, {{}, {"j"}}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs[0], 1);
  EXPECT_EQ(runs[70], 1);
  expect_all_done("j", 8);
}

TEST_F(JobTest, AResumeThatHasNotBegunIsNotLostWithItsEntry) {
  script("a", milliseconds(1));
  system.script("b", job_script(seconds(1), [](const Lease &, Interval) { return SliceEnded{}; }));
  auto a = job_entry("a", 1, 4);
  auto longer = job_entry("a", 1, 8);
  a.config.depends_on = longer.config.depends_on = {"b"};
  const auto b = job_entry("b", 1, 1);
  ASSERT_TRUE(apply({a, b}));
  system.run_for(seconds(5));
  ASSERT_EQ(entry("a").state, "succeeded");
  ASSERT_TRUE(apply({longer, b}, {{"b"}, {"a"}}));
  ASSERT_EQ(entry("a").state, "waiting");
  ASSERT_TRUE(apply({b}));
  system.run_for(milliseconds(100));
  ASSERT_TRUE(apply({longer, b}));
  EXPECT_EQ(entry("a").held, "");
  system.run_for(seconds(5));
  EXPECT_EQ(entry("a").state, "succeeded");
  EXPECT_EQ(runs[0], 1);
  EXPECT_EQ(runs[70], 1);
  EXPECT_EQ(store.job("a").manifest.positions(), 80);
  expect_all_done("a", 8);
}

TEST_F(JobTest, AStartByHandWaitsForNoBackoff) {
  int tries = 0;
  script("j", milliseconds(1), [&](const Lease &, Interval) { return ++tries == 1 ? 70 : 0; });
  auto job = job_entry("j", 1, 1);
  job.config.restart.delay = job.config.restart.max_delay = minutes(10);
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  ASSERT_EQ(entry("j").progress.done, 0);
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {"j"}, false, 0, {}, {}}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(JobTest, ResumeTriesAgainOnlyWhatAFailedJobDidNotGetDone) {
  bool mended = false;
  script("j", milliseconds(1), [&](const Lease &, Interval slice) { return slice.begin == 30 && !mended ? 65 : 0; });
  auto job = job_entry("j", 1, 5);
  job.config.max_failed.percent = 100;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "partial");
  mended = true;
  ASSERT_TRUE(apply({job}, {{}, {"j"}}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs[0], 1);
  EXPECT_EQ(runs[30], 2);
  expect_all_done("j", 5);
}

TEST_F(JobTest, FreshOnAServiceOrAnUnknownNameIsRefusedAndChangesNothing) {
  ASSERT_TRUE(apply({service_entry("a", 1)}));
  const auto before = pids("a");
  EXPECT_FALSE(apply({service_entry("a", 2)}, {{"a"}, {}}));
  EXPECT_FALSE(apply({service_entry("a", 2)}, {{"nobody"}, {}}));
  EXPECT_EQ(pids("a"), before);
  EXPECT_FALSE(supervisor->status().last_reload_ok);
}

TEST_F(JobTest, ANewBuildTakesTheSlicesThatHaveNotStarted) {
  script("j", milliseconds(100));
  ASSERT_TRUE(apply({job_entry("j", 2, 40)}));
  auto changed = job_entry("j", 2, 40);
  changed.build.hash = "b2";
  changed.build.library = "/store/b2/j.so";
  ASSERT_TRUE(apply({changed}));
  system.run_for(milliseconds(400));
  for (const FakeWorker *worker : system.alive("j")) EXPECT_EQ(worker->start.library, "/store/b2/j.so");
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  for (const auto &[begin, times] : runs) EXPECT_EQ(times, 1) << begin;
}

TEST_F(JobTest, MergeRunsOnceAfterAllSlices) {
  std::vector<std::string> order;
  system.script("j", job_script(milliseconds(5), [&](const Lease &lease, Interval) {
                  order.push_back(lease.merge_input.empty() ? "slice" : "merge");
                  SliceEnded ended;
                  ended.has_result = true;
                  ended.result = order.back();
                  return ended;
                }));
  auto job = job_entry("j", 2, 6);
  job.build.has_merge = true;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").state, "succeeded");
  ASSERT_EQ(order.size(), 7U);
  EXPECT_EQ(order.back(), "merge");
  EXPECT_EQ(store.results("j").at(-1), "merge");
}

TEST_F(JobTest, AMergeThatRefusesItsConfigurationEndsTheJob) {
  int merges = 0;
  system.script("j", job_script(milliseconds(5), [&](const Lease &lease, Interval) {
                  SliceEnded ended;
                  if (lease.merge_input.empty()) return ended;
                  ++merges;
                  ended.returned = 78;
                  ended.reason = "no such column";
                  return ended;
                }));
  auto job = job_entry("j", 2, 6);
  job.build.has_merge = true;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(merges, 1);
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_EQ(entry("j").reason, "merge: returned 78 (HOSTLER_BAD_CONFIG): no such column");
  EXPECT_EQ(store.job("j").state, JobState::Failed);  // which tells the output folder
  EXPECT_FALSE(logged("not charged to the slice"));
  EXPECT_TRUE(supervisor->jobs_ended());
  // And the next build may do better.
  system.script("j", job_script(milliseconds(5), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({job}, {{}, {"j"}}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(JobTest, AMergeThatLeavesByItselfIsNotSaidToHaveLeftRun) {
  int merges = 0;
  system.script("j", job_script(milliseconds(5), [&](const Lease &lease, Interval) {
                  SliceEnded ended;
                  if (!lease.merge_input.empty() && ++merges == 1) ended.returned = kCrash;
                  return ended;
                }));
  auto job = job_entry("j", 1, 1);
  job.build.has_merge = true;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(merges, 2);
  EXPECT_FALSE(logged("run()"));
}

TEST_F(JobTest, WhileTheDiskIsWaitedForNoRateIsTold) {
  script("j", milliseconds(100));
  ASSERT_TRUE(apply({job_entry("j", 1, 100)}));
  system.run_for(seconds(3));
  EXPECT_GT(entry("j").rate, 0);
  EXPECT_GE(entry("j").eta_seconds, 0);
  supervisor->set_waits_for("/state/ledger.sqlite: the disk is full");
  EXPECT_EQ(supervisor->status().waits_for, "/state/ledger.sqlite: the disk is full");
  EXPECT_EQ(entry("j").rate, 0);
  EXPECT_EQ(entry("j").eta_seconds, -1);
  supervisor->set_waits_for("");
  EXPECT_GT(entry("j").rate, 0);
}

TEST_F(JobTest, AFullDiskOfTheOutputIsWaitedForAtNobodysExpense) {
  std::int32_t full = 0;  // what run() returns of it
  int tries = 0;
  system.script("j", job_script(milliseconds(10), [&](const Lease &lease, Interval) {
                  SliceEnded ended;
                  ended.io_failed = ended.no_room = full != 0;
                  ended.returned = full;
                  if (full == 0) ended.counters["slices"] = 1;
                  EXPECT_EQ(lease.attempt, 1);
                  ++tries;
                  return ended;
                }));
  PreparedEntry job = job_entry("j", 3, 4000);
  job.config.attempts = 1;
  job.config.max_temporary = 0;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  ASSERT_EQ(entry("j").state, "running");
  full = 70;
  system.run_for(seconds(2));
  full = 75;
  system.run_for(seconds(2));
  EXPECT_EQ(entry("j").state, "waiting");
  EXPECT_EQ(entry("j").reason, "no room in /out/j, so one slice a second is tried");
  EXPECT_EQ(entry("j").rate, 0);
  EXPECT_EQ(entry("j").eta_seconds, -1);
  const std::size_t lines = log.size();
  const std::size_t noted = store.attempts("j").size();
  tries = 0;
  system.run_for(minutes(10));
  EXPECT_GT(tries, 580);  // each takes its time
  EXPECT_LE(tries, 600);
  EXPECT_EQ(log.size(), lines);  // a trial is no news
  EXPECT_EQ(store.attempts("j").size(), noted);
  EXPECT_EQ(entry("j").progress.retries, 0);

  full = 0;
  system.run_for(seconds(3));
  EXPECT_EQ(entry("j").state, "running");
  EXPECT_TRUE(logged("j: there is room in /out/j again"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(store.job("j").counters.at("slices"), 4000);
  EXPECT_EQ(std::ranges::count_if(log, [](const auto &line) { return line.find("no room") != std::string::npos; }), 1);
}

TEST_F(JobTest, AMergeThatFindsNoRoomIsTriedAgain) {
  int merges = 0;
  system.script("j", job_script(milliseconds(5), [&](const Lease &lease, Interval) {
                  SliceEnded ended;
                  if (lease.merge_input.empty()) return ended;
                  ended.io_failed = ended.no_room = ++merges < 5;
                  return ended;
                }));
  PreparedEntry job = job_entry("j", 2, 4);
  job.build.has_merge = true;
  job.config.attempts = 1;
  job.config.max_temporary = 0;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(2));
  EXPECT_EQ(entry("j").state, "waiting");
  system.run_for(seconds(10));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(merges, 5);
}

TEST_F(JobTest, AJobThatHasLostItsCommittedFilesHasFailedThoughItSucceededOnce) {
  script("j", milliseconds(1));
  ASSERT_TRUE(apply({job_entry("j", 1, 5)}));
  system.run_for(seconds(1));
  ASSERT_EQ(entry("j").state, "succeeded");
  auto stored = store.load();
  stored[0].problem = "out/parts/a: was committed and is no longer there";
  system.set_alarm(std::nullopt);
  supervisor.reset();
  boot(std::move(stored));
  ASSERT_TRUE(apply({job_entry("j", 1, 5)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_NE(entry("j").reason.find("no longer there"), std::string::npos);
  EXPECT_TRUE(supervisor->jobs_ended());
}

// A former host has committed the third of five slices, and its files are not in their places yet.
class JobToPlaceTest : public JobTest {
 protected:
  JobToPlaceTest() {
    script("j", milliseconds(1));
    stored.name = "j";
    stored.identity = identity_of(job.config);
    stored.manifest = job.manifest;
    stored.rows = {{20, 30, SliceState::Committing, 0, 0, {}}};
    store.commit({CreateJob{stored}}, [](const Result<void> &) {});
    system.run_for(seconds(1));
    MoveFiles move{"j", {20, 30}, 0, 20, 30, false, "out/.attempts/1", {"a"}};
    move.committed = true;
    stored.to_place = {move};
    boot_anew();
  }
  void boot_anew() {
    system.set_alarm(std::nullopt);
    supervisor.reset();
    boot({stored});
  }
  StoredJob stored;
  const PreparedEntry job = job_entry("j", 1, 5);
};

TEST_F(JobToPlaceTest, IsPlacedBesideTheRestAndNotRunAgain) {
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(runs.size(), 4U);
  EXPECT_FALSE(runs.contains(20));
  EXPECT_EQ(store.rows("j"), (std::vector<SliceRow>{{0, 50, SliceState::Done, 0, 0, {}}}));
}

TEST_F(JobToPlaceTest, IsPlacedAlsoWhenTheJobIsNotToRun) {
  store.commit({SetHalt{"j", Halt::Stopped}}, [](const Result<void> &) {});
  system.run_for(seconds(1));
  boot_anew();
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "stopped");
  EXPECT_EQ(store.rows("j"), (std::vector<SliceRow>{{20, 30, SliceState::Done, 0, 0, {}}}));
  ASSERT_TRUE(supervisor->command({OperatorVerb::Cancel, {"j"}, false, 0, {}, {}}));
  system.run_for(seconds(1));
  EXPECT_EQ(store.job("j").state, JobState::Cancelled);
}

TEST_F(JobToPlaceTest, WhatCannotBePlacedAtAllStopsTheJobAlsoWhenItsEntryComesAnew) {
  store.fail_with("out/parts/a: is gone");
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  store.fail_with("");
  EXPECT_EQ(entry("j").state, "failed");
  ASSERT_TRUE(apply({}));
  system.run_for(seconds(1));
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_NE(entry("j").reason.find("is gone"), std::string::npos);
}

TEST_F(JobToPlaceTest, IsNotResumedUnderAnotherPlanMeanwhile) {
  const auto resumed = apply({job_entry("j", 1, 6)}, {{}, {"j"}});
  ASSERT_FALSE(resumed);
  EXPECT_NE(resumed.error().text().find("wait for their places"), std::string::npos);
}

TEST_F(JobTest, AJobWhoseCommittedFileIsGoneAtItsEndHasNoVerdictAndEndsOnceItIsBack) {
  script("j", milliseconds(1));
  store.lose_output("out/parts/a: was committed and is no longer there");
  ASSERT_TRUE(apply({job_entry("j", 1, 5)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_TRUE(supervisor->jobs_ended());
  EXPECT_EQ(store.job("j").state, JobState::Running);
  EXPECT_NE(store.job("j").reason.find("no longer there"), std::string::npos);
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {"j"}, false, 0, {}, {}}));  // not back yet
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  store.lose_output("");
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {"j"}, false, 0, {}, {}}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(store.job("j").state, JobState::Succeeded);
  EXPECT_EQ(store.job("j").reason, "");
}

TEST_F(JobTest, WhatCannotBeResumedIsToldByEntryAndPlace) {
  script("j", milliseconds(10));
  ASSERT_TRUE(apply({job_entry("j", 1, 20)}));
  system.run_for(seconds(5));
  auto shrunk = job_entry("j", 1, 5);
  shrunk.config.where = "workers.yaml:7:5: workers[2]";
  const auto refused = apply({shrunk}, {{}, {"j"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where, "workers.yaml:7:5: workers[2]");
  EXPECT_EQ(refused.error().what.substr(0, 3), "j: ") << refused.error().what;
}

TEST_F(JobTest, OnceItIsResumedNothingIsHeldAnyMore) {
  script("j", seconds(1));
  ASSERT_TRUE(apply({job_entry("j", 1, 20)}));
  system.run_for(seconds(2));
  ASSERT_TRUE(apply({job_entry("j", 1, 30)}));
  EXPECT_NE(entry("j").held, "");
  ASSERT_TRUE(apply({job_entry("j", 1, 30)}, {{}, {"j"}}));
  EXPECT_EQ(entry("j").reason, "makes place for its successor");
  EXPECT_EQ(entry("j").held, "");
}

TEST_F(JobTest, ABusErrorOnAChangedInputBlamesTheInput) {
  script("j", milliseconds(1), [](const Lease &, Interval) { return 0; });
  auto job = job_entry("j", 1, 3);
  Input file;
  file.path = "/data/a.txt";
  file.size = 30;
  job.config.input.kind = InputKind::Lines;
  job.manifest = Manifest(InputKind::Lines, {file}, 10, 1, 0, {}, 1);
  script("j", seconds(1));
  store.change_inputs("input /data/a.txt changed");
  ASSERT_TRUE(apply({job}));
  system.run_for(milliseconds(500));
  system.kill_from_outside("j", 0, SIGBUS);
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_NE(entry("j").reason.find("/data/a.txt changed"), std::string::npos) << entry("j").reason;
  EXPECT_EQ(entry("j").progress.retries, 0);  // nor is the slice charged
}

TEST_F(JobTest, ABusErrorInMergeIsACrashOfMerge) {
  int merges = 0;
  system.script("j", job_script(seconds(1), [&](const Lease &lease, Interval) {
                  merges += lease.merge_input.empty() ? 0 : 1;
                  return SliceEnded{};
                }));
  auto job = job_entry("j", 1, 1);
  job.build.has_merge = true;
  Input file;
  file.path = "/data/a.txt";
  file.size = 10;
  job.config.input.kind = InputKind::Lines;
  job.manifest = Manifest(InputKind::Lines, {file}, 10, 1, 0, {}, 1);
  ASSERT_TRUE(apply({job}));
  system.run_for(milliseconds(1500));
  system.kill_from_outside("j", 0, SIGBUS);
  EXPECT_EQ(entry("j").workers[0].last_exit.text, "killed by SIGBUS in merge()");
  system.run_for(minutes(1));
  EXPECT_EQ(merges, 1);
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(JobTest, AVerdictWaitsForThePlaceOfTheCrashAndTellsIt) {
  system.set_backtrace(a_backtrace(), seconds(1));
  script("j", milliseconds(10), [this](const Lease &, Interval slice) {
    if (slice.begin != 20) return 0;
    for (FakeWorker *worker : system.alive("j")) worker->crash = a_crash();
    return kCrash;
  });
  auto job = job_entry("j", 1, 3);
  job.config.attempts = 1;
  ASSERT_TRUE(apply({job}));
  system.run_for(milliseconds(500));
  EXPECT_EQ(entry("j").progress.quarantined, 1);
  EXPECT_FALSE(supervisor->jobs_ended());
  system.run_for(seconds(1));
  EXPECT_TRUE(supervisor->jobs_ended());
  const std::string words = "killed by SIGSEGV (address 0x8) in slice 0-20, a.so+0x34 in parse (parse.cc:12)";
  EXPECT_NE(entry("j").reason.find("slice 0-20: " + words), std::string::npos) << entry("j").reason;
  EXPECT_EQ(store.job("j").reason, entry("j").reason);
  EXPECT_EQ(store.load()[0].rows.back().reason, words);
}

TEST_F(JobTest, ACrashOfMergeIsExplainedInTheVerdict) {
  system.set_backtrace(a_backtrace(), seconds(1));
  system.script("j", job_script(milliseconds(10), [this](const Lease &lease, Interval) {
                  SliceEnded ended;
                  if (lease.merge_input.empty()) return ended;
                  for (FakeWorker *worker : system.alive("j")) worker->crash = a_crash();
                  ended.returned = kCrash;
                  return ended;
                }));
  auto job = job_entry("j", 1, 3);
  job.config.attempts = 1;
  job.build.has_merge = true;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(5));
  EXPECT_EQ(store.job("j").reason,
            "merge: killed by SIGSEGV (address 0x8) in merge(), a.so+0x34 in parse (parse.cc:12)");
}

TEST_F(JobTest, ACrashThatIsTriedAgainKeepsItsPlaceForTheLedger) {
  system.set_backtrace(a_backtrace(), milliseconds(20));
  script("j", milliseconds(10), [this](const Lease &, Interval slice) {
    if (slice.begin != 0 || runs[0] != 0) return 0;
    for (FakeWorker *worker : system.alive("j")) worker->crash = a_crash();
    return kCrash;
  });
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_NE(store.load()[0].rows[0].reason.find("in parse (parse.cc:12)"), std::string::npos);
}

TEST_F(JobTest, ASliceThatClaimsNothingIsAsFarAsItSaysOfItself) {
  system.script("j", job_script(minutes(1), [](const Lease &, Interval) { return SliceEnded{}; }));
  ASSERT_TRUE(apply({job_entry("j", 1, 2)}));
  EXPECT_EQ(entry("j").progress.positions_done, 0);
  system.alive("j")[0]->page.progress_done = 12;
  system.alive("j")[0]->page.progress_total = 30;
  EXPECT_EQ(entry("j").progress.positions_done, 4);
  EXPECT_EQ(entry("j").workers[0].progress.total, 30);
  system.alive("j")[0]->page.claimed_to = 1;  // it has begun to claim
  EXPECT_EQ(entry("j").progress.positions_done, 0);
}

TEST_F(JobTest, WhoLeavesASliceWhenAskedToStopIsToldWithItWhateverItsCode) {
  Script script;
  script.on_lease = [](FakeWorker &worker, const Lease &lease) {
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker.page.begun = lease.begin;
  };
  script.on_stop = [](FakeWorker &worker) {
    if (worker.stop == StopWord::Drain) worker.leave({false, worker.request.instance == 0 ? 0 : 65, false});
  };
  script.on_dismiss = [](FakeWorker &) {};
  system.script("j", script);
  ASSERT_TRUE(apply({job_entry("j", 2, 2)}));
  supervisor->stop([] {});
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").workers[0].last_exit.text, "exited with 0 when asked to stop in slice 0-0");
  EXPECT_EQ(entry("j").workers[1].last_exit.text, "exited with 65 when asked to stop in slice 0-10");
}

TEST_F(JobTest, OneThatTheLedgerDoesNotKnowYetIsStarting) {
  script("j", milliseconds(1));
  store.stall();
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  EXPECT_EQ(entry("j").state, "starting");
}

TEST_F(JobTest, WhatTheFileAloneWouldResumeAndCannotIsHeldAndTheRestApplies) {
  script("j", milliseconds(10));
  ASSERT_TRUE(apply({job_entry("j", 1, 20)}));
  system.run_for(seconds(5));
  auto shrunk = job_entry("j", 1, 5);
  shrunk.config.on_change = OnChange::Resume;
  const auto plans = apply({shrunk, service_entry("a", 1)});
  ASSERT_TRUE(plans);
  EXPECT_EQ(plans->entries[0].action, EntryAction::Hold);
  EXPECT_TRUE(entry("j").held.ends_with("; cannot resume: 50 to 199 are done and no longer in the input"))
      << entry("j").held;
  EXPECT_FALSE(entry("j").resumable);
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(entry("a").state, "running");
  EXPECT_FALSE(apply({shrunk, service_entry("a", 1)}, {{}, {"j"}}));
  crash_and_boot({"a"});
  ASSERT_TRUE(apply({shrunk, service_entry("a", 1)}));  // also a start of the host
  EXPECT_EQ(entry("a").state, "running");
  EXPECT_FALSE(entry("j").held.empty());
  // One that can be resumed is.
  auto grown = job_entry("j", 1, 30);
  grown.config.on_change = OnChange::Resume;
  ASSERT_TRUE(apply({grown}));
  system.run_for(seconds(5));
  EXPECT_EQ(entry("j").progress.done, 30);
}

TEST_F(JobTest, ResumeIsNamedAsAWayOnOnlyWhenItIsOne) {
  script("j", milliseconds(10));
  ASSERT_TRUE(apply({job_entry("j", 1, 20)}));
  system.run_for(seconds(5));
  ASSERT_TRUE(apply({job_entry("j", 1, 30)}));
  EXPECT_TRUE(entry("j").resumable);
  ASSERT_TRUE(apply({job_entry("j", 1, 5)}));
  EXPECT_NE(entry("j").held, "");
  EXPECT_FALSE(entry("j").resumable);
}

TEST_F(JobTest, ALedgerThatFailsStopsTheJobAndSaysWhy) {
  script("j", milliseconds(1));
  store.fail_with("database or disk is full");
  ASSERT_TRUE(apply({job_entry("j", 1, 3), service_entry("a", 1)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_NE(entry("j").reason.find("disk is full"), std::string::npos);
  EXPECT_EQ(entry("a").state, "running");
}

TEST_F(JobTest, AJobThatWasRefusedAsItBeganBeginsWhenItIsStarted) {
  script("j", milliseconds(1));
  store.fail_with("/out/j holds files of somebody else");
  ASSERT_TRUE(apply({job_entry("j", 1, 3)}));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "failed");
  store.fail_with("");
  OperatorCommand start;
  start.names = {"j"};
  ASSERT_TRUE(supervisor->command(start));
  system.run_for(seconds(1));
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(JobTest, AJobWhoseWorkersAllGaveUpHasFailedInsteadOfWaitingForEver) {
  system.fail_spawns(1000, "Cannot allocate memory");
  auto job = job_entry("j", 2, 3);
  job.config.restart.limit = 3;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "failed");
  EXPECT_NE(entry("j").reason.find("gave up: 3 restarts"), std::string::npos) << entry("j").reason;
  EXPECT_TRUE(supervisor->jobs_ended());
}

TEST_F(JobTest, ScalingDownLosesNoWork) {
  script("j", milliseconds(50));
  ASSERT_TRUE(apply({job_entry("j", 4, 60)}));
  system.run_for(milliseconds(300));
  ASSERT_TRUE(apply({job_entry("j", 1, 60)}));
  system.run_for(milliseconds(500));
  EXPECT_EQ(system.alive("j").size(), 1U);
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  for (const auto &[begin, times] : runs) EXPECT_EQ(times, 1) << begin;
}

}  // namespace
}  // namespace hostler
