// Slices that end a segment with a checkpoint: where they go on, what is taken back, what is left for others.
#include <gtest/gtest.h>

#include <chrono>

#include "core/job.h"

namespace hostler {
namespace {

constexpr WorkerId kA = 1;
constexpr WorkerId kB = 2;
const TimePoint kStart{std::chrono::hours(1)};
const Judgement kDone{Verdict::Done, {}};

Manifest numbers(std::int64_t size, std::int64_t slice) {
  return {InputKind::Range, {{"", size, 0, 0, 0}}, slice, 1, 0, {}, 1};
}

JobSettings settings() {
  JobSettings settings;
  settings.backoff.jitter = 0;
  settings.backoff.delay = Duration{};
  settings.max_skipped.count = 1000;
  return settings;
}

SegmentEnded segment(const Lease &lease, std::int64_t begin, std::int64_t position, std::int64_t counted = 0) {
  SegmentEnded ended;
  ended.lease = lease.id;
  ended.begin = begin;
  ended.position = position;
  if (counted != 0) ended.counters["n"] = counted;
  return ended;
}

SliceEnded told(const Lease &lease, Interval slice) {
  SliceEnded ended;
  ended.lease = lease.id;
  ended.slice = slice;
  return ended;
}

TEST(JobSegments, WhatARuleCallsDoneThoughItDiedLeavesNothingOfItsSegmentsEither) {
  Job job({}, numbers(100, 100), {});
  const auto lease = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.segment_ended(kA, segment(*lease, 0, 60, 4), 0));
  Judgement done = kDone;
  done.rule = 0;
  (void)job.lost(kA, 0, done, kStart, 0.5);
  const auto ends = job.take_checkpoint_ends();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_TRUE(ends[0].taken_back);
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

TEST(JobSegments, TheNextAttemptGoesOnAtTheCheckpoint) {
  Job job(settings(), numbers(100, 100), {});
  const auto first = job.lease(kA, kStart, 1);
  SegmentEnded ended = segment(*first, 0, 40, 3);
  ended.attempt_dir = "/o/.attempts/0-0.1";
  ended.files = {{"out", 12}};
  ASSERT_TRUE(job.segment_ended(kA, ended, 0));
  ASSERT_TRUE(job.segment_ended(kA, segment(*first, 0, 60, 4), 0));
  EXPECT_EQ(job.checkpoint_of(0)->counters.at("n"), 7);
  (void)job.lost(kA, 0, {Verdict::Crash, "crash"}, kStart, 0.5);
  EXPECT_EQ(job.progress().positions_done, 60);
  const auto second = job.lease(kB, kStart + std::chrono::hours(1), 1);
  ASSERT_TRUE(second && second->saved);
  EXPECT_EQ(second->attempt, 2);
  EXPECT_EQ(second->saved->position, 60);
  EXPECT_EQ(second->begin, 0);
  ASSERT_TRUE(job.ended(kB, told(*second, {0, 100}), kDone, kStart, 0.5));
  const auto ends = job.take_checkpoint_ends();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_FALSE(ends[0].taken_back);
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

TEST(JobSegments, OfALeaseOnlyTheSliceWithTheCheckpointRemembersIt) {
  Job job(settings(), numbers(100, 10), {});
  const auto lease = job.lease(kA, kStart, 5);
  ASSERT_EQ(lease->end, 50);
  ASSERT_TRUE(job.segment_ended(kA, segment(*lease, 20, 25), 0));
  (void)job.lost(kA, 20, {Verdict::Interrupted, "stopped"}, kStart, 0.5);
  EXPECT_EQ(job.progress().done, 2);
  ASSERT_EQ(job.rows().size(), 2U);
  EXPECT_EQ(job.rows()[1].begin, 20);
  EXPECT_EQ(job.rows()[1].end, 30);
  ASSERT_TRUE(job.rows()[1].checkpoint);
  EXPECT_EQ(job.rows()[1].attempts, 0);
}

TEST(JobSegments, ALeaseThatEndsBeforeItHasBegunKeepsItsCheckpoint) {
  Job job(settings(), numbers(100, 100), {});
  const auto first = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.segment_ended(kA, segment(*first, 0, 40, 3), 0));
  (void)job.lost(kA, 0, {Verdict::Interrupted, "stopped"}, kStart, 0.5);
  const auto second = job.lease(kB, kStart, 1);
  ASSERT_TRUE(job.lease_ended(kB, {second->id, 0}));
  EXPECT_TRUE(job.take_checkpoint_ends().empty());
  const auto third = job.lease(kB, kStart, 1);
  ASSERT_TRUE(third && third->saved);
  EXPECT_EQ(third->saved->position, 40);
}

TEST(JobSegments, AStartOfTheHostGivesBackAllButTheCheckpoint) {
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->position = 25;
  Job job(settings(), numbers(100, 10),
          {{0, 20, SliceState::Done, 0, 0, {}}, {20, 50, SliceState::Leased, 0, 0, {}, checkpoint}});
  ASSERT_EQ(job.rows().size(), 2U);
  EXPECT_EQ(job.rows()[1].end, 30);
  EXPECT_EQ(job.rows()[1].state, SliceState::Ready);
  EXPECT_EQ(job.ready_slices(), 8);
  EXPECT_EQ(job.progress().positions_done, 25);
  const auto changes = job.take_changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(*changes[0].put, job.rows()[1]);
}

TEST(JobSegments, ACutLiesBehindTheCheckpointAndTheBeginKeepsIt) {
  Job job(settings(), numbers(100, 100), {});
  const auto lease = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.segment_ended(kA, segment(*lease, 0, 50), 0));
  EXPECT_FALSE(job.cut(kA, {lease->id, 49}));
  ASSERT_TRUE(job.cut(kA, {lease->id, 50}));
  const auto rest = job.lease(kB, kStart, 1);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->begin, 50);
  EXPECT_FALSE(rest->saved);
  EXPECT_FALSE(job.segment_ended(kA, segment(*lease, 0, 60), 0));
  ASSERT_TRUE(job.ended(kA, told(*lease, {0, 50}), kDone, kStart, 0.5));
  ASSERT_TRUE(job.ended(kB, told(*rest, {50, 100}), kDone, kStart, 0.5));
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

TEST(JobSegments, AnotherVersionOfTheStateBeginsAnewAndTakesBack) {
  Job job(settings(), numbers(100, 100), {});
  const auto first = job.lease(kA, kStart, 1);
  SegmentEnded ended = segment(*first, 0, 40, 3);
  ended.skipped = {{1, 2, "x", "bad"}};
  ASSERT_TRUE(job.segment_ended(kA, ended, 7));
  EXPECT_EQ(job.progress().skipped, (Skipped{1, 1}));
  (void)job.lost(kA, 0, {Verdict::Interrupted, "stopped"}, kStart, 0.5);
  (void)job.take_checkpoint_ends();
  const auto second = job.lease(kB, kStart, 1);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->saved);
  const auto ends = job.take_checkpoint_ends();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_TRUE(ends[0].taken_back);
  EXPECT_EQ(ends[0].checkpoint->counters.at("n"), 3);
  EXPECT_EQ(job.progress().skipped, Skipped{});
}

TEST(JobSegments, WhatCannotBeRightIsRefused) {
  Job job(settings(), numbers(100, 10), {});
  const auto lease = job.lease(kA, kStart, 2);
  EXPECT_FALSE(job.segment_ended(kB, segment(*lease, 0, 5), 0));
  EXPECT_FALSE(job.segment_ended(kA, segment(*lease, 0, 11), 0));
  EXPECT_FALSE(job.segment_ended(kA, segment(*lease, 3, 5), 0));
  EXPECT_FALSE(job.segment_ended(kA, segment(*lease, 30, 35), 0));
  ASSERT_TRUE(job.segment_ended(kA, segment(*lease, 0, 5), 0));
  EXPECT_FALSE(job.segment_ended(kA, segment(*lease, 0, 5), 0));
  EXPECT_FALSE(job.segment_ended(kA, segment(*lease, 10, 15), 0));  // what became of the first?
  EXPECT_FALSE(job.lease_ended(kA, {lease->id, 20}));
  EXPECT_FALSE(job.ended(kA, told(*lease, {10, 20}), kDone, kStart, 0.5));
  EXPECT_TRUE(job.ended(kA, told(*lease, {0, 10}), kDone, kStart, 0.5));
}

TEST(JobSegments, AFailedSliceKeepsItsCheckpointAlsoInQuarantineAndForARetry) {
  JobSettings once = settings();
  once.attempts = 1;
  Job job(once, numbers(100, 100), {});
  const auto first = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.segment_ended(kA, segment(*first, 0, 40), 0));
  (void)job.lost(kA, 0, {Verdict::Crash, "crash"}, kStart, 0.5);
  EXPECT_EQ(job.state(), JobState::Failed);
  ASSERT_TRUE(job.checkpoint_of(0));
  ASSERT_TRUE(job.retry({}));
  const auto again = job.lease(kB, kStart, 1);
  ASSERT_TRUE(again && again->saved);
  EXPECT_EQ(again->attempt, 1);
  EXPECT_EQ(again->saved->position, 40);
}

TEST(JobSegments, WhatIsSkippedDecidesHowTheJobEnds) {
  const auto end_with = [](const Tolerance &allowed, Manifest plan, Aside record) {
    JobSettings job_settings = settings();
    job_settings.max_skipped = allowed;
    Job job(job_settings, std::move(plan), {});
    const auto lease = job.lease(kA, kStart, 1);
    SliceEnded ended = told(*lease, {0, lease->end});
    ended.skipped = {std::move(record)};
    EXPECT_TRUE(job.ended(kA, ended, kDone, kStart, 0.5));
    return job.state();
  };
  const Manifest lines(InputKind::Lines, {{"t", 1000, 1, 2, 3}}, 1000, 1, 0, {}, 1);
  EXPECT_EQ(end_with({}, lines, {10, 20, "x", "bad"}), JobState::Failed);
  EXPECT_EQ(end_with({1, 0}, lines, {10, 20, "x", "bad"}), JobState::Partial);  // a line
  EXPECT_EQ(end_with({0, 0.9}, lines, {10, 20, "x", "bad"}), JobState::Failed);
  EXPECT_EQ(end_with({0, 1}, lines, {10, 20, "x", "bad"}), JobState::Partial);
  EXPECT_EQ(end_with({9, 0}, numbers(1000, 1000), {10, 20, "", "bad"}), JobState::Failed);  // ten numbers
  EXPECT_EQ(end_with({10, 0}, numbers(1000, 1000), {10, 20, "", "bad"}), JobState::Partial);
}

TEST(JobSegments, ASkipOfAnAttemptThatDoesNotCommitCountsNothing) {
  Job job(settings(), numbers(100, 100), {});
  const auto lease = job.lease(kA, kStart, 1);
  SliceEnded ended = told(*lease, {0, 100});
  ended.skipped = {{1, 2, "", "bad"}};
  ASSERT_TRUE(job.ended(kA, ended, {Verdict::Failure, "no"}, kStart, 0.5));
  EXPECT_EQ(job.progress().skipped, Skipped{});
}

TEST(JobSegments, AResumedJobKeepsThemWhereTheSliceIsTheSame) {
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->position = 135;
  const std::vector<SliceRow> rows = {{130, 140, SliceState::Ready, 2, 0, "crash", checkpoint}};
  const Input a{"a", 100, 1, 1, 1};
  const Input b{"b", 100, 1, 1, 2};
  const auto texts = [](std::vector<Input> inputs, std::int64_t slice = 10) {
    return Manifest(InputKind::Lines, std::move(inputs), slice, 1, 0, {}, 1);
  };
  const Manifest planned = texts({a, b});
  const auto same = resume_job(planned, rows, texts({b, a}), true);
  ASSERT_TRUE(same);
  ASSERT_EQ(same->rows.size(), 1U);
  EXPECT_EQ(same->rows[0].begin, 130);
  EXPECT_EQ(same->rows[0].attempts, 0);
  EXPECT_EQ(same->rows[0].checkpoint->position, 135);
  EXPECT_TRUE(resume_job(planned, rows, texts({a, b}), false)->rows.empty());
  EXPECT_TRUE(resume_job(planned, rows, texts({a, {"b", 101, 1, 1, 2}}), true)->rows.empty());
  EXPECT_TRUE(resume_job(planned, rows, texts({a, b}, 7), true)->rows.empty());
  EXPECT_EQ(resume_job(planned, rows, texts({{"a", 50, 1, 1, 1}, b}), true)->rows[0].checkpoint->position, 85);
  EXPECT_EQ(resume_job(numbers(200, 10), rows, numbers(300, 20), true)->rows[0].end, 140);
}

}  // namespace
}  // namespace hostler
