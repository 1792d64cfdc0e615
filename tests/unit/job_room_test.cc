// A job whose outputs find no room: what it hands out meanwhile, and whom it charges.
#include <gtest/gtest.h>

#include <chrono>

#include "core/job.h"

namespace hostler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr WorkerId kA = 1;
constexpr WorkerId kB = 2;
const TimePoint kStart{std::chrono::hours(1)};
const Judgement kDone{Verdict::Done, {}};
const Judgement kNoRoom{Verdict::NoRoom, "/out: No space left on device"};
const Judgement kLater{Verdict::RetryLater, "returned 75 (HOSTLER_RETRY_LATER)"};

class JobRoom : public testing::Test {
 protected:
  // Ten slices of ten numbers.
  Job job = make({});

  static Job make(bool has_merge) {
    JobSettings settings;
    settings.backoff.delay = milliseconds(100);
    settings.backoff.jitter = 0;
    settings.attempts = 1;
    settings.max_temporary = 0;
    settings.has_merge = has_merge;
    return {settings, Manifest(InputKind::Range, {{"", 100, 0, 0, 0}}, 10, 1, 0, {}, 1), {}};
  }
  // The worker tells what became of the first slice of its lease, and leaves the rest.
  SliceOutcome end(WorkerId worker, const std::optional<Lease> &lease, const Judgement &judgement, TimePoint now,
                   bool has_files = false) {
    if (!lease) {
      ADD_FAILURE() << "nothing was handed out";
      return {};
    }
    SliceEnded ended;
    ended.lease = lease->id;
    ended.slice = {lease->begin, lease->begin == 100 ? 101 : lease->begin + 10};
    if (has_files) ended.files = {"out"};
    const Result<SliceOutcome> outcome = job.ended(worker, ended, judgement, now, 0.5);
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().text());
    EXPECT_TRUE(job.lease_ended(worker, {lease->id, ended.slice.end}));
    return outcome ? *outcome : SliceOutcome{};
  }
};

TEST_F(JobRoom, TheSliceThatFoundNoneGoesBackAndNobodyIsCharged) {
  const SliceOutcome outcome = end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  EXPECT_EQ(outcome.state, SliceState::Ready);
  EXPECT_EQ(outcome.reason, "slice 0-0: /out: No space left on device; not charged to the slice");
  EXPECT_TRUE(job.rows().empty());
  EXPECT_TRUE(job.waits_for_room());
}

TEST_F(JobRoom, MeanwhileOneSliceASecondIsHandedOut) {
  end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  for (int i = 1; i <= 1000; ++i) {
    const TimePoint now = kStart + seconds(i);
    EXPECT_FALSE(job.has_due(now - milliseconds(1)));
    EXPECT_FALSE(job.lease(kA, now - milliseconds(1), 10));
    EXPECT_EQ(job.next_due(), now);
    EXPECT_TRUE(job.has_due(now));
    const auto trial = job.lease(kA, now, 10);
    ASSERT_TRUE(trial);
    EXPECT_EQ(trial->begin, 0);
    EXPECT_EQ(trial->end, 10);
    EXPECT_EQ(trial->attempt, 1);
    EXPECT_FALSE(job.lease(kB, now, 10));
    end(kA, trial, kNoRoom, now);
  }
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_TRUE(job.rows().empty());
}

TEST_F(JobRoom, ATrialThatTakesLongDoesNotHoldUpTheNext) {
  end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  EXPECT_TRUE(job.lease(kA, kStart + seconds(1), 10));
  EXPECT_EQ(job.next_due(), kStart + seconds(2));
  EXPECT_TRUE(job.lease(kB, kStart + seconds(2), 10));
}

TEST_F(JobRoom, OnceATrialIsDoneAllGoesOn) {
  const TimePoint later = kStart + seconds(1);
  for (const bool has_files : {true, false}) {
    job = make({});
    end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
    end(kA, job.lease(kA, later, 1), kDone, later, has_files);
    EXPECT_FALSE(job.waits_for_room());
    EXPECT_EQ(job.lease(kB, later, 5)->end, 60);
  }
}

TEST_F(JobRoom, ATrialThatLeavesNothingSaysSoWithTheEndOfItsLease) {
  end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  const auto trial = job.lease(kA, kStart + seconds(1), 1);
  ASSERT_TRUE(job.lease_ended(kA, {trial->id, trial->begin}));  // not begun: it says nothing
  EXPECT_TRUE(job.waits_for_room());
  const auto next = job.lease(kA, kStart + seconds(2), 1);
  ASSERT_TRUE(job.lease_ended(kA, {next->id, next->end}));
  EXPECT_FALSE(job.waits_for_room());
}

TEST_F(JobRoom, ACheckpointOfATrialIsRoomEnough) {
  end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  const auto trial = job.lease(kA, kStart + seconds(1), 1);
  SegmentEnded segment;
  segment.lease = trial->id;
  segment.begin = 0;
  segment.position = 5;
  ASSERT_TRUE(job.segment_ended(kA, segment, 1));
  EXPECT_FALSE(job.waits_for_room());
}

// It may have been for want of the room that came the moment after.
TEST_F(JobRoom, AFailureOfATrialIsNotChargedAndTheNextOneIs) {
  for (const Judgement &failure : {kLater, Judgement{Verdict::Failure, "returned 70"}}) {
    job = make({});
    end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
    const TimePoint later = kStart + seconds(1);
    EXPECT_EQ(end(kA, job.lease(kA, later, 1), failure, later).state, SliceState::Ready);
    EXPECT_FALSE(job.waits_for_room());
    EXPECT_EQ(end(kA, job.lease(kA, later, 1), failure, later).state, SliceState::Quarantined);
  }
}

TEST_F(JobRoom, ACrashOfATrialIsCharged) {
  end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  ASSERT_TRUE(job.lease(kA, kStart + seconds(1), 1));
  EXPECT_EQ(job.lost(kA, 0, {Verdict::Crash, "killed by SIGSEGV"}, kStart, 0.5).state, SliceState::Quarantined);
}

// It was there when the slice wrote, and is gone; or was not there, and others have made some.
TEST_F(JobRoom, WhatWasHandedOutBeforeProvesNothingAndIsNotPutOff) {
  const auto full = job.lease(kA, kStart, 1);
  const auto done = job.lease(kB, kStart, 1);
  const auto put_off = job.lease(kB, kStart, 1);
  end(kA, full, kNoRoom, kStart);
  end(kB, done, kDone, kStart);
  EXPECT_TRUE(job.waits_for_room());
  EXPECT_EQ(end(kB, put_off, kLater, kStart).state, SliceState::Ready);
  EXPECT_TRUE(job.waits_for_room());
  EXPECT_EQ(job.progress().done, 1);
  EXPECT_EQ(job.progress().quarantined, 0);
}

TEST_F(JobRoom, MergeWaitsLikewise) {
  job = make(true);
  while (job.progress().done < 10) end(kA, job.lease(kA, kStart, 1), kDone, kStart);
  end(kA, job.lease(kA, kStart, 1), kNoRoom, kStart);
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_FALSE(job.lease(kA, kStart, 1));
  EXPECT_EQ(job.next_due(), kStart + seconds(1));
  end(kA, job.lease(kA, kStart + seconds(1), 1), kDone, kStart);
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

TEST_F(JobRoom, WhatIsInBackoffWaitsForTheLaterOfTheTwo) {
  job.set_settings([] {
    JobSettings settings;
    settings.backoff.delay = seconds(30);
    settings.backoff.jitter = 0;
    return settings;
  }());
  const auto full = job.lease(kB, kStart, 1);
  end(kA, job.lease(kA, kStart, 1), {Verdict::Failure, "returned 70"}, kStart);
  end(kB, full, kNoRoom, kStart);
  EXPECT_EQ(job.next_due(), kStart + seconds(1));
  const auto rest = job.lease(kB, kStart + seconds(1), 1);
  ASSERT_TRUE(rest);
  for (TimePoint now = kStart + seconds(2); job.ready_slices() > 0; now += seconds(1))
    ASSERT_TRUE(job.lease(kB, now, 1));
  EXPECT_EQ(job.next_due(), kStart + seconds(30));
}

}  // namespace
}  // namespace hostler
