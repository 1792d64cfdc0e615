// Jobs whose workers crash, kill their host or grow too old, under the supervisor in virtual time.
#include <csignal>
#include <deque>
#include <map>
#include <set>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

PreparedEntry splittable_job(const std::string &name, std::int32_t count, std::int64_t slices) {
  PreparedEntry entry = job_entry(name, count, slices);
  entry.build.flags = 1;
  return entry;
}

// Works through its leases slice by slice; a position that is poison kills it.
class PoisonedWorker {
 public:
  struct How {
    Duration each{};
    std::set<std::int64_t> poison;
    bool claims = true;  // each position by itself; else none, so that nobody knows where it was
    int crashes = 0;
    int ended = 0;
    WaitStatus death{true, SIGSEGV, false};
  };
  PoisonedWorker(FakeWorker &worker, How &how) : worker_(worker), how_(how) {}

  void take(const Lease &lease) {
    leases_.push_back(lease);
    if (leases_.size() > 1) return;
    position_ = lease.begin;
    step();
  }
  void dismiss() {
    dismissed_ = true;
    if (leases_.empty()) worker_.leave({false, 0, false});
  }

 private:
  void step() {
    if (leases_.empty()) {
      if (dismissed_) worker_.leave({false, 0, false});
      return;
    }
    const Lease &lease = leases_.front();
    if (worker_.stop != StopWord::GoOn || position_ == lease.end) {
      worker_.say(LeaseEnded{lease.id, position_});
      leases_.pop_front();
      if (!leases_.empty()) position_ = leases_.front().begin;
      return step();
    }
    const Interval slice{position_,
                         std::min(lease.end, position_ / lease.slice_size * lease.slice_size + lease.slice_size)};
    worker_.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker_.page.begun = slice.begin;
    worker_.page.claimed_from = worker_.page.claimed_to = slice.begin;
    const auto bad = how_.poison.lower_bound(slice.begin);
    if (bad != how_.poison.end() && *bad < slice.end) return die(*bad);
    worker_.after(how_.each, [this, slice, id = lease.id] {
      ++how_.ended;
      worker_.page.stage = static_cast<std::uint32_t>(Stage::Idle);
      SliceEnded ended;
      ended.lease = id;
      ended.slice = slice;
      ended.counters["slices"] = 1;
      worker_.say(ended);
      position_ = slice.end;
      step();
    });
  }
  void die(std::int64_t at) {
    ++how_.crashes;
    if (how_.claims) {
      worker_.page.claimed_from = at;
      worker_.page.claimed_to = at + 1;
    }
    if (how_.death.value == SIGSEGV) worker_.crash = a_crash();
    worker_.after(milliseconds(5), [this] { worker_.leave(how_.death); });
  }

  FakeWorker &worker_;
  How &how_;
  std::deque<Lease> leases_;
  std::int64_t position_ = 0;
  bool dismissed_ = false;
};

class PoisonTest : public FleetTest {
 protected:
  void run_a_minute(const PreparedEntry &job) {
    EXPECT_TRUE(apply({job}));
    system.run_for(minutes(1));
  }
  // Its workers, and their successors, crash at what is poison.
  void script(const std::string &name, Duration each, std::set<std::int64_t> poison, bool claims = true) {
    how = {each, std::move(poison), claims};
    auto workers = std::make_shared<std::map<WorkerId, std::unique_ptr<PoisonedWorker>>>();
    const auto of = [workers, this](FakeWorker &worker) -> PoisonedWorker & {
      auto &found = (*workers)[worker.id];
      if (!found) found = std::make_unique<PoisonedWorker>(worker, how);
      return *found;
    };
    Script script;
    script.on_lease = [of](FakeWorker &worker, const Lease &lease) { of(worker).take(lease); };
    script.on_stop = [](FakeWorker &) {};
    script.on_dismiss = [of](FakeWorker &worker) { of(worker).dismiss(); };
    system.script(name, std::move(script));
  }
  PoisonedWorker::How how;
};

TEST_F(PoisonTest, PoisonIsIsolatedAndTheJobEndsPartialWithAllElseDone) {
  system.set_backtrace(a_backtrace(), milliseconds(20));
  script("j", milliseconds(5), {3, 7, 55});
  auto job = splittable_job("j", 2, 10);
  job.config.max_skipped.percent = 5;
  run_a_minute(job);
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(entry("j").progress.isolated, 3);
  EXPECT_EQ(entry("j").progress.quarantined, 0);
  EXPECT_EQ(entry("j").progress.positions_done, 97);
  EXPECT_EQ(entry("j").progress.done, 10);
  EXPECT_EQ(how.crashes, 6);
  std::map<std::int64_t, SliceRow> isolated;
  for (const SliceRow &row : store.rows("j"))
    if (row.state == SliceState::Isolated) isolated[row.begin] = row;
  ASSERT_EQ(isolated.size(), 3U);
  // The reason has the place that was found later.
  for (const std::int64_t at : {3, 7, 55}) {
    EXPECT_EQ(isolated[at].end, at + 1);
    EXPECT_NE(isolated[at].reason.find("in parse"), std::string::npos) << isolated[at].reason;
    ASSERT_TRUE(store.isolated("j").contains(at));
    EXPECT_EQ(store.isolated("j").at(at).at.end, at + 1);
    EXPECT_NE(store.isolated("j").at(at).backtrace.value_or("").find("parse"), std::string::npos);
  }
}

TEST_F(PoisonTest, WhoeverIsKilledFromOutsideMayHaveStoodAtAnyRecord) {
  script("j", milliseconds(5), {3});
  how.death = {true, SIGKILL, false};
  auto job = splittable_job("j", 2, 4);
  job.config.max_skipped.percent = 50;
  job.config.max_failed.count = 1;
  run_a_minute(job);
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(entry("j").progress.isolated, 0);
  EXPECT_EQ(entry("j").progress.quarantined, 1);
  EXPECT_EQ(how.crashes, 4) << "attempts";
}

TEST_F(PoisonTest, WhatItsCgroupHasKilledForWantOfMemoryIsBlamedOnItsRecord) {
  script("j", milliseconds(5), {3});
  how.death = {true, SIGKILL, false, 1 << 20};
  auto job = splittable_job("j", 2, 4);
  job.config.max_skipped.percent = 50;
  run_a_minute(job);
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(entry("j").progress.isolated, 1);
  EXPECT_EQ(how.crashes, 2);
}

TEST_F(PoisonTest, KillsFromOutsideSayNothingOfTheCode) {
  script("j", milliseconds(5), {0, 10, 20, 30, 40, 50, 60, 70, 80, 90});
  how.death = {true, SIGKILL, false};
  auto job = splittable_job("j", 2, 10);
  job.config.max_failed.percent = 100;
  run_a_minute(job);
  EXPECT_EQ(entry("j").state, "partial") << entry("j").reason;
  EXPECT_EQ(how.crashes, 40);
}

TEST_F(PoisonTest, ASliceThatMayNotBeCutIsQuarantinedWhole) {
  for (const bool flag : {false, true}) {
    const std::string name = flag ? "off" : "plain";
    script(name, milliseconds(5), {3});
    auto job = flag ? splittable_job(name, 1, 4) : job_entry(name, 1, 4);
    job.config.split = !flag;
    run_a_minute(job);
    EXPECT_EQ(entry(name).progress.isolated, 0);
    EXPECT_EQ(entry(name).progress.quarantined, 1);
  }
}

TEST_F(PoisonTest, WithoutPositionsASliceIsBisectedDownToTheRecord) {
  script("j", milliseconds(5), {13, 17}, false);
  auto job = splittable_job("j", 2, 10);
  job.config.max_skipped.count = 2;
  run_a_minute(job);
  EXPECT_EQ(entry("j").state, "partial") << entry("j").reason;
  EXPECT_EQ(entry("j").progress.isolated, 2);
  EXPECT_EQ(entry("j").progress.positions_done, 98);
}

TEST_F(PoisonTest, ARetryTriesWhatIsIsolatedAgain) {
  script("j", milliseconds(5), {3, 7});
  auto job = splittable_job("j", 1, 4);
  job.config.max_skipped.percent = 50;
  run_a_minute(job);
  ASSERT_EQ(entry("j").progress.isolated, 2);
  script("j", milliseconds(5), {});
  ASSERT_TRUE(supervisor->command({OperatorVerb::Retry, {"j"}, false, 0, {}, {}, {"0-3"}}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").progress.isolated, 1);
  EXPECT_EQ(entry("j").state, "partial");
  ASSERT_TRUE(supervisor->command({OperatorVerb::Retry, {"j"}, false, 0, {}, {}}));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(entry("j").progress.positions_done, 40);
}

TEST_F(PoisonTest, APluginThatCrashesEverywhereStopsAfterMaxOfFiveAndCount) {
  std::set<std::int64_t> everywhere;
  for (std::int64_t i = 0; i < 5000; ++i) everywhere.insert(i);
  for (const std::int32_t count : {1, 2, 4, 8}) {
    const std::string name = "j" + std::to_string(count);
    script(name, milliseconds(5), everywhere, count % 4 == 0);
    ASSERT_TRUE(apply({splittable_job(name, count, 500)}));
    system.run_for(minutes(10));
    EXPECT_EQ(how.crashes, std::max(5, count));
    EXPECT_EQ(entry(name).state, "failed");
    EXPECT_TRUE(entry(name).reason.starts_with("the code, not the data: ")) << entry(name).reason;
    EXPECT_NE(entry(name).reason.find("; the last: killed by SIGSEGV"), std::string::npos) << entry(name).reason;
    EXPECT_EQ(store.job(name).reason, entry(name).reason);
    EXPECT_TRUE(logged(name + ": stopped: the code, not the data"));
  }
}

TEST_F(PoisonTest, AStartOrANewBuildLiftsTheVerdictThatItIsTheCode) {
  std::set<std::int64_t> everywhere;
  for (std::int64_t i = 0; i < 500; ++i) everywhere.insert(i);
  script("j", milliseconds(5), everywhere);
  run_a_minute(job_entry("j", 1, 50));
  ASSERT_EQ(how.crashes, 5);
  ASSERT_TRUE(supervisor->command({OperatorVerb::Start, {"j"}, false, 0, {}, {}}));
  system.run_for(minutes(1));
  EXPECT_EQ(how.crashes, 10);
  EXPECT_EQ(entry("j").state, "failed");
  script("j", milliseconds(5), {});
  auto mended = job_entry("j", 1, 50);
  mended.build.hash = "b2";
  run_a_minute(mended);
  EXPECT_EQ(entry("j").state, "succeeded");
}

TEST_F(PoisonTest, OneSliceDoneAndOnlyTheDataIsToBlame) {
  std::set<std::int64_t> nearly;
  for (std::int64_t i = 10; i < 200; i += 10) nearly.insert(i);
  script("j", milliseconds(1), nearly);
  auto job = splittable_job("j", 1, 20);
  job.config.max_skipped.percent = 100;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(5));
  EXPECT_EQ(entry("j").state, "partial") << entry("j").reason;
  EXPECT_EQ(entry("j").progress.isolated, 19);
}

// ---- slices that kill the host

TEST_F(PoisonTest, ASliceThatKillsTheHostRunsAloneAndIsThenQuarantined) {
  bool dead = false;
  std::int64_t beside = 0;
  Script killer = job_script(milliseconds(10), [](const Lease &, Interval) { return SliceEnded{}; });
  killer.on_lease = [&, ordinary = killer.on_lease](FakeWorker &worker, const Lease &lease) {
    if (lease.begin > 20 || lease.end <= 20) return ordinary(worker, lease);
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker.page.begun = 20;
    dead = true;
    beside = 0;
    for (const FakeWorker *other : system.alive("k"))
      if (other->page.stage == static_cast<std::uint32_t>(Stage::Running)) ++beside;
  };
  Script slow = job_script(milliseconds(100), [](const Lease &, Interval) { return SliceEnded{}; });
  system.script("j", killer);
  system.script("k", slow);
  auto job = job_entry("j", 2, 6);
  job.config.max_failed.count = 1;
  std::vector<std::int64_t> neighbours;
  for (int host = 1; host < 10; ++host) {
    ASSERT_TRUE(apply({job, job_entry("k", 1, 200)}));
    for (int i = 0; i < 1000 && !dead && entry("j").state != "partial"; ++i) system.run_for(milliseconds(10));
    if (!dead) break;
    neighbours.push_back(beside);
    dead = false;
    store.crash();
    for (const char *name : {"j", "k"})
      for (FakeWorker *worker : system.alive(name)) worker->gone = true;
    system.set_alarm(std::nullopt);
    supervisor.reset();
    auto jobs = store.load();
    for (StoredJob &stored : jobs)
      if (stored.name == "j") {
        DiedIn death{20, 20};
        death.range = range_of(stored.manifest, {20, 30});
        death.build = "b0";
        death.reason = "the host died in slice 0-20";
        stored.died_in = {death};
      }
    boot(std::move(jobs));
  }
  EXPECT_EQ(entry("j").state, "partial");
  EXPECT_EQ(entry("j").progress.quarantined, 1);
  const auto rows = store.rows("j");
  EXPECT_EQ(
      std::count_if(rows.begin(), rows.end(), [](const SliceRow &row) { return row.state == SliceState::Quarantined; }),
      1)
      << "the ledger knows it as well";
  std::int64_t lines = 0;
  for (const auto &[seq, attempt] : store.attempts("j")) {
    if (attempt.verdict != "interrupted" || attempt.range.begin != 20) continue;
    ++lines;
    EXPECT_EQ(attempt.reason, "the host died in slice 0-20");
    EXPECT_EQ(attempt.build->hash, "b0");
    EXPECT_EQ(attempt.build->library, "/store/b0/j.so");
  }
  EXPECT_EQ(lines, 4) << "one for each host";
  ASSERT_EQ(neighbours.size(), 4U);
  EXPECT_EQ(neighbours[3], 0) << "it ran alone";
  EXPECT_TRUE(logged("slice 0-20 runs alone"));
  // The neighbour goes on afterwards.
  system.run_for(minutes(5));
  EXPECT_EQ(entry("k").state, "succeeded");
}

// ---- recycling

TEST_F(PoisonTest, AWorkerMakesPlaceForANewOneAfterItsSlicesAndIsNotCharged) {
  script("j", milliseconds(5), {});
  auto job = job_entry("j", 2, 100);
  job.config.recycle.slices = 10;
  job.config.restart.limit = 1;
  ASSERT_TRUE(apply({job}));
  std::set<int> seen;
  for (int i = 0; i < 2000 && entry("j").state != "succeeded"; ++i) {
    for (const int pid : pids("j")) seen.insert(pid);
    system.run_for(milliseconds(5));
  }
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(how.ended, 100);
  EXPECT_GE(seen.size(), 10U);
  EXPECT_LE(seen.size(), 14U);
  EXPECT_TRUE(logged("makes place for a new process after"));
  for (const auto &[seq, attempt] : store.attempts("j")) EXPECT_EQ(attempt.verdict, "done");
}

TEST_F(PoisonTest, AJobsWorkerThatHasGrownTooLargeMakesPlaceBetweenSlices) {
  script("j", milliseconds(100), {});
  auto job = job_entry("j", 1, 100);
  job.config.recycle.memory = 1'000'000;
  ASSERT_TRUE(apply({job}));
  system.run_for(seconds(3));
  const auto before = pids("j");
  ASSERT_EQ(before.size(), 1U);
  system.alive("j")[0]->resident = 2'000'000;
  system.run_for(seconds(3));
  ASSERT_EQ(pids("j").size(), 1U);
  EXPECT_NE(pids("j"), before);
  EXPECT_TRUE(logged("of memory"));
  system.run_for(minutes(1));
  EXPECT_EQ(entry("j").state, "succeeded");
  EXPECT_EQ(how.ended, 100);
}

TEST_F(PoisonTest, AServiceThatHasGrownTooLargeIsStoppedAndStartedAgainUncharged) {
  auto service = service_entry("s", 2);
  service.config.recycle.memory = 1'000'000;
  service.config.restart.limit = 0;
  ASSERT_TRUE(apply({service}));
  const auto before = pids("s");
  ASSERT_EQ(before.size(), 2U);
  system.alive("s")[0]->resident = 2'000'000;
  system.run_for(seconds(20));
  const auto now = pids("s");
  ASSERT_EQ(now.size(), 2U);
  EXPECT_EQ(std::count(now.begin(), now.end(), before[1]), 1);
  EXPECT_EQ(std::count(now.begin(), now.end(), before[0]), 0);
  EXPECT_EQ(system.count_in_diary("stop s/0 cancel SIGTERM"), 1);
  EXPECT_EQ(entry("s").state, "running");
}

TEST_F(PoisonTest, WithoutRecycleNothingTicks) {
  ASSERT_TRUE(apply({service_entry("s", 2)}));
  system.run_for(seconds(1));
  const auto alarms = system.alarms();
  system.run_for(minutes(10));
  EXPECT_EQ(system.alarms(), alarms);
}

}  // namespace
}  // namespace hostler
