// Jobs whose slices end segments with checkpoints, on the fake system: what is durable when, and what comes of it.
#include <map>
#include <memory>

#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

struct Segmenting {
  Duration each = milliseconds(10);  // for a segment
  std::int64_t every = 2;            // positions a segment
  std::int64_t yield_at = -1;        // returns YIELD once the checkpoint of this position is made
  bool never_checkpoints = false;
  std::vector<Lease> leases;  // as they came
};

struct InWork {
  Lease lease;
  Interval slice;
  std::int64_t position = 0;
  std::int64_t counted = 0;
  std::int64_t waits_for = -1;
};

// Counts every position as "n", and makes the result of the state that it saves.
class SegmentingScript {
 public:
  explicit SegmentingScript(std::shared_ptr<Segmenting> how) : how_(std::move(how)) {}

  void lease(FakeWorker &worker, const Lease &lease) {
    how_->leases.push_back(lease);
    InWork &work = works_[worker.id];
    work = {lease, {lease.begin, std::min(lease.end, lease.begin + 10)}, lease.begin, 0, -1};
    if (lease.saved) {
      work.position = lease.saved->position;
      EXPECT_EQ(lease.saved->data, std::to_string(work.position));
    }
    begin(worker);
  }

  void answered(FakeWorker &worker, const Checkpointed &answer) {
    InWork &work = works_[worker.id];
    EXPECT_EQ(answer.position, work.waits_for);
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    if (answer.error == 0) work.counted = 0;
    answer.position == how_->yield_at ? end(worker, 85) : go_on(worker);
  }

 private:
  void begin(FakeWorker &worker) {
    worker.page.stage = static_cast<std::uint32_t>(Stage::Running);
    worker.page.begun = works_[worker.id].slice.begin;
    worker.page.claimed_from = worker.page.claimed_to = works_[worker.id].position;
    go_on(worker);
  }

  void go_on(FakeWorker &worker) {
    worker.after(how_->each, [this, &worker] {
      InWork &work = works_[worker.id];
      const std::int64_t next = std::min(work.position + how_->every, work.slice.end);
      work.counted += next - work.position;
      work.position = next;
      if (next == work.slice.end) return end(worker, 0);
      if (how_->never_checkpoints) return next == how_->yield_at ? end(worker, 85) : go_on(worker);
      SegmentEnded segment;
      segment.lease = work.lease.id;
      segment.begin = work.slice.begin;
      segment.position = work.waits_for = next;
      segment.data = std::to_string(next);
      segment.counters["n"] = work.counted;
      worker.page.stage = static_cast<std::uint32_t>(Stage::Checkpointing);
      worker.say(segment);
    });
  }

  void end(FakeWorker &worker, std::int32_t returned) {
    InWork &work = works_[worker.id];
    SliceEnded ended;
    ended.lease = work.lease.id;
    ended.slice = work.slice;
    ended.returned = returned;
    ended.counters["n"] = std::exchange(work.counted, 0);
    ended.has_result = true;
    ended.result = std::to_string(work.slice.end);
    worker.page.stage = static_cast<std::uint32_t>(Stage::Idle);
    worker.say(ended);
    const bool more = work.slice.end < work.lease.end;
    if (!more) return worker.say(LeaseEnded{work.lease.id, work.lease.end});
    work.position = work.slice.end;
    work.slice = {work.slice.end, std::min(work.slice.end + 10, work.lease.end)};
    begin(worker);
  }

  std::shared_ptr<Segmenting> how_;
  std::map<WorkerId, InWork> works_;
};

class Segments : public FleetTest {
 protected:
  std::shared_ptr<Segmenting> how = std::make_shared<Segmenting>();

  Segments() {
    const auto workers = std::make_shared<SegmentingScript>(how);
    Script script;
    script.on_lease = [workers](FakeWorker &worker, const Lease &lease) { workers->lease(worker, lease); };
    script.on_checkpointed = [workers](FakeWorker &worker, const Checkpointed &answer) {
      workers->answered(worker, answer);
    };
    script.on_stop = [](FakeWorker &) {};
    system.script("job", script);
  }
  void finish() {
    system.run_for(minutes(10));
    EXPECT_EQ(store.job("job").state, JobState::Succeeded) << store.job("job").reason;
    EXPECT_EQ(store.job("job").counters.at("n"), store.job("job").manifest.positions());
    EXPECT_EQ(entry("job").counters.at("n"), store.job("job").manifest.positions());
  }
  static PreparedEntry with_state_version(PreparedEntry entry, std::int32_t version) {
    entry.build.hash = "build " + std::to_string(version);
    entry.build.state_version = version;
    return entry;
  }
};

TEST_F(Segments, AWorkerIsAnsweredOnceItsSegmentIsDurable) {
  how->each = milliseconds(30);
  ASSERT_TRUE(apply({job_entry("job", 1, 1)}));
  EXPECT_EQ(system.count_in_diary("checkpointed job/0 2"), 1);
  store.stall();
  system.run_for(milliseconds(20));  // what was on its way
  const auto answered = system.diary().size();
  system.run_for(minutes(5));
  EXPECT_EQ(system.diary().size(), answered);
}

TEST_F(Segments, AfterADeathTheSliceGoesOnWhereItsLastSegmentEnded) {
  PreparedEntry job = job_entry("job", 1, 1);
  how->each = seconds(1);
  ASSERT_TRUE(apply({job}));
  system.run_for(milliseconds(2500));
  system.kill_from_outside("job", 0, SIGSEGV);
  finish();
  ASSERT_EQ(how->leases.size(), 2U);
  ASSERT_TRUE(how->leases[1].saved);
  EXPECT_EQ(how->leases[1].saved->position, 4);
  EXPECT_EQ(how->leases[1].attempt, 2);
}

// A worker's word of a slice that another one has, or of a folder that is not its own, changes nothing but its own end.
TEST_F(Segments, WhatIsToldOfAnotherWorkersSliceHarmsOnlyWhoTells) {
  how->each = seconds(1);
  ASSERT_TRUE(apply({job_entry("job", 2, 2)}));
  system.run_for(milliseconds(2500));
  ASSERT_EQ(how->leases.size(), 2U);
  SliceEnded forged;
  forged.lease = 999;
  forged.slice = {how->leases[0].begin, how->leases[0].end};
  forged.saved_lost = true;
  forged.reason = "f is gone";
  system.alive("job")[1]->say(forged);
  system.run_for(milliseconds(10));
  EXPECT_TRUE(logged("broke the protocol"));
  SliceEnded foreign;
  foreign.lease = how->leases[0].id;
  foreign.slice = forged.slice;
  foreign.returned = 70;
  foreign.attempt_dir = "/state/output/other/.attempts/0-0.7";
  system.alive("job")[0]->say(foreign);
  system.run_for(milliseconds(10));
  EXPECT_TRUE(logged("which is not its folder"));
  finish();
}

TEST_F(Segments, AHostThatDiesHasLostNothingThatIsDurable) {
  how->each = seconds(1);
  PreparedEntry job = job_entry("job", 2, 3);
  ASSERT_TRUE(apply({job}));
  for (int round = 0; round < 4; ++round) {
    system.run_for(milliseconds(2700));
    crash_and_boot({"job"});
    ASSERT_TRUE(apply({job}));
  }
  finish();
  EXPECT_TRUE(std::any_of(how->leases.begin(), how->leases.end(), [](const Lease &lease) { return lease.saved; }));
}

TEST_F(Segments, ABuildWithAnotherStateBeginsAnewAndCountsNothingTwice) {
  how->each = seconds(1);
  ASSERT_TRUE(apply({with_state_version(job_entry("job", 1, 1), 1)}));
  system.run_for(milliseconds(2500));
  crash_and_boot({"job"});
  EXPECT_EQ(store.job("job").counters.at("n"), 4);
  ASSERT_TRUE(apply({with_state_version(job_entry("job", 1, 1), 2)}));
  finish();
  EXPECT_FALSE(how->leases.back().saved);
}

TEST_F(Segments, ABuildWithTheSameStateGoesOn) {
  how->each = seconds(1);
  ASSERT_TRUE(apply({with_state_version(job_entry("job", 1, 1), 1)}));
  system.run_for(milliseconds(2500));
  crash_and_boot({"job"});
  PreparedEntry other = with_state_version(job_entry("job", 1, 1), 1);
  other.build.hash = "another";
  ASSERT_TRUE(apply({other}));
  finish();
  EXPECT_TRUE(how->leases.back().saved);
}

TEST_F(Segments, OtherParametersDropTheCheckpointsOfAResumedJob) {
  how->each = seconds(1);
  PreparedEntry job = job_entry("job", 1, 2);
  ASSERT_TRUE(apply({job}));
  system.run_for(milliseconds(7500));
  crash_and_boot({"job"});
  const std::int64_t counted = store.job("job").counters.at("n");
  EXPECT_GT(counted, 10);
  job.config.params["top"] = "other";
  ReloadOptions resume;
  resume.resume = {"job"};
  ASSERT_TRUE(apply({job}, resume));
  EXPECT_EQ(store.job("job").counters.at("n"), 10);
  finish();
  EXPECT_FALSE(how->leases.back().saved);
}

TEST_F(Segments, TheSameJobResumedKeepsThem) {
  how->each = seconds(1);
  PreparedEntry job = job_entry("job", 1, 1);
  job.config.attempts = 1;
  ASSERT_TRUE(apply({job}));
  system.run_for(milliseconds(2500));
  system.kill_from_outside("job", 0, SIGSEGV);
  system.run_for(minutes(1));
  ASSERT_EQ(store.job("job").state, JobState::Failed);
  EXPECT_EQ(store.job("job").counters.at("n"), 4);
  ReloadOptions resume;
  resume.resume = {"job"};
  ASSERT_TRUE(apply({job}, resume));
  finish();
  EXPECT_EQ(how->leases.back().saved->position, 4);
  EXPECT_EQ(how->leases.back().attempt, 1);
}

TEST_F(Segments, AYieldGoesOnAndIsNotChargedWhenItHasAdvanced) {
  how->yield_at = 4;
  ASSERT_TRUE(apply({job_entry("job", 1, 1)}));
  finish();
  EXPECT_EQ(how->leases.back().attempt, 1);
  EXPECT_EQ(how->leases.back().saved->position, 4);
}

TEST_F(Segments, AYieldThatHasNotAdvancedIsAFailure) {
  how->yield_at = 4;
  how->never_checkpoints = true;
  PreparedEntry job = job_entry("job", 1, 1);
  job.config.attempts = 2;
  ASSERT_TRUE(apply({job}));
  system.run_for(minutes(1));
  EXPECT_EQ(store.job("job").state, JobState::Failed);
  EXPECT_NE(store.job("job").reason.find("no checkpoint has advanced"), std::string::npos);
}

TEST_F(Segments, WhoWaitsForTheDiskIsNotOverdue) {
  how->each = seconds(1);
  PreparedEntry job = job_entry("job", 1, 1);
  job.config.watchdog = seconds(5);
  job.config.time_limit = seconds(5);
  ASSERT_TRUE(apply({job}));
  store.stall();
  system.run_for(minutes(5));
  EXPECT_EQ(system.alive("job").size(), 1U);
  EXPECT_FALSE(logged("hung"));
  EXPECT_FALSE(logged("out of time"));
}

TEST_F(Segments, StatusCountsWhatTheyHaveDone) {
  how->each = seconds(1);
  ASSERT_TRUE(apply({job_entry("job", 1, 1)}));
  system.run_for(milliseconds(3500));
  crash_and_boot({"job"});
  PreparedEntry job = job_entry("job", 1, 1);
  job.config.count = 1;
  ASSERT_TRUE(apply({job}));
  EXPECT_GE(entry("job").progress.positions_done, 6);
  finish();
}

}  // namespace
}  // namespace hostler
