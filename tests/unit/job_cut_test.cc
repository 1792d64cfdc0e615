// Leases that are cut while they are worked on: every position stays in exactly one place.
#include <gtest/gtest.h>

#include <chrono>

#include "core/job.h"

namespace hostler {
namespace {

constexpr WorkerId kA = 1;
constexpr WorkerId kB = 2;
const TimePoint kStart{std::chrono::hours(1)};
const Judgement kDone{Verdict::Done, {}};

Manifest plan(InputKind kind, std::int64_t size, std::int64_t slice, std::int64_t unit = 1) {
  return {kind, {{"t", size, 1, 2, 3}}, slice, unit, 0, std::vector<std::string>(kind == InputKind::Items ? size : 0),
          1};
}

SliceEnded told(const Lease &lease, Interval slice) {
  SliceEnded ended;
  ended.lease = lease.id;
  ended.slice = slice;
  return ended;
}

TEST(JobCut, WhatIsBehindTheCutGoesToSomebodyElse) {
  Job job({}, plan(InputKind::Range, 100, 100), {});
  const auto first = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.cut(kA, {first->id, 60}));
  const auto second = job.lease(kB, kStart, 1);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->begin, 60);
  EXPECT_EQ(second->end, 100);
  EXPECT_EQ(second->attempt, 1);
  ASSERT_TRUE(job.ended(kB, told(*second, {60, 100}), kDone, kStart, 0.5));
  EXPECT_EQ(job.state(), JobState::Running);
  ASSERT_TRUE(job.ended(kA, told(*first, {0, 60}), kDone, kStart, 0.5));
  ASSERT_TRUE(job.lease_ended(kA, {first->id, 60}));
  EXPECT_EQ(job.state(), JobState::Succeeded);
  ASSERT_EQ(job.rows().size(), 1U);
  EXPECT_EQ(job.rows()[0].end, 100);
}

TEST(JobCut, TheLedgerHearsOfBothPartsAtOnce) {
  Job job({}, plan(InputKind::Range, 100, 100), {});
  const auto lease = job.lease(kA, kStart, 1);
  (void)job.take_changes();
  ASSERT_TRUE(job.cut(kA, {lease->id, 30}));
  const auto changes = job.take_changes();
  ASSERT_EQ(changes.size(), 1U);  // the other part has no row: nobody has begun it
  ASSERT_TRUE(changes[0].put);
  EXPECT_EQ(changes[0].put->begin, 0);
  EXPECT_EQ(changes[0].put->end, 30);
  EXPECT_EQ(changes[0].put->state, SliceState::Leased);
}

TEST(JobCut, WhatIsGivenUpOfASliceInPartsIsOneSlice) {
  JobSettings settings;
  settings.max_failed.percent = 50;
  Job job(settings, plan(InputKind::Range, 200, 100), {});
  const auto first = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.cut(kA, {first->id, 60}));
  ASSERT_TRUE(job.ended(kA, told(*first, {0, 60}), {Verdict::BadData, "bad"}, kStart, 0.5));
  while (const auto rest = job.lease(kB, kStart, 1)) {
    const Verdict verdict = rest->begin == 60 ? Verdict::BadData : Verdict::Done;
    ASSERT_TRUE(job.ended(kB, told(*rest, {rest->begin, rest->end}), {verdict, "bad"}, kStart, 0.5));
  }
  EXPECT_EQ(job.progress().quarantined, 1);
  EXPECT_EQ(job.state(), JobState::Partial);
  EXPECT_EQ(job.state_reason(), "1 of 2 slices quarantined; the first is slice 0-0: bad");
}

TEST(JobCut, ASliceIsDoneWhenAllItsPartsAre) {
  Job job({}, plan(InputKind::Range, 300, 100), {});
  const auto first = job.lease(kA, kStart, 3);
  ASSERT_TRUE(job.cut(kA, {first->id, 150}));
  EXPECT_EQ(job.progress().done, 0);
  ASSERT_TRUE(job.cut(kA, {first->id, 130}));
  ASSERT_TRUE(job.ended(kA, told(*first, {0, 100}), kDone, kStart, 0.5));
  EXPECT_EQ(job.progress().done, 1);
  ASSERT_TRUE(job.ended(kA, told(*first, {100, 130}), kDone, kStart, 0.5));
  EXPECT_EQ(job.progress().done, 1);
  const auto second = job.lease(kB, kStart, 3);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->begin, 130);
  ASSERT_TRUE(job.lease_ended(kB, {second->id, 200}));
  EXPECT_EQ(job.progress().done, 2);
  EXPECT_EQ(job.progress().slices, 3);
  EXPECT_EQ(job.place(130), "0-130");
}

TEST(JobCut, APartOfARetriedSliceRemembersItsAttempts) {
  JobSettings settings;
  settings.backoff.jitter = 0;
  Job job(settings, plan(InputKind::Range, 100, 100), {});
  const auto lease = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.ended(kA, told(*lease, {0, 100}), {Verdict::Failure, "no"}, kStart, 0.5));
  const TimePoint later = kStart + std::chrono::hours(1);
  const auto again = job.lease(kA, later, 1);
  ASSERT_TRUE(again);
  ASSERT_TRUE(job.cut(kA, {again->id, 50}));
  const auto part = job.lease(kB, later, 1);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->begin, 50);
  EXPECT_EQ(part->attempt, 2);
}

TEST(JobCut, WhenItsWorkerDiesThePartsComeBackAsOneSlice) {
  Job job({}, plan(InputKind::Range, 100, 100), {});
  const auto lease = job.lease(kA, kStart, 1);
  ASSERT_TRUE(job.cut(kA, {lease->id, 50}));
  (void)job.lost(kA, std::nullopt, {Verdict::Interrupted, ""}, kStart, 0.5);
  const auto whole = job.lease(kB, kStart, 1);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->begin, 0);
  EXPECT_EQ(whole->end, 100);
}

TEST(JobCut, ACutWhereNothingCanBeCutIsRefusedAndChangesNothing) {
  Job job({}, plan(InputKind::Records, 100, 40, 10), {});
  const auto lease = job.lease(kA, kStart, 2);  // [0, 80)
  (void)job.take_changes();
  EXPECT_FALSE(job.cut(kA, {lease->id, 15}));      // inside a record
  EXPECT_FALSE(job.cut(kA, {lease->id, 80}));      // its end
  EXPECT_FALSE(job.cut(kA, {lease->id, 90}));      // beyond
  EXPECT_FALSE(job.cut(kA, {lease->id, -10}));     // before
  EXPECT_FALSE(job.cut(kA, {lease->id + 1, 40}));  // of nobody
  EXPECT_FALSE(job.cut(kB, {lease->id, 40}));      // of somebody else
  EXPECT_TRUE(job.take_changes().empty());
  EXPECT_TRUE(job.cut(kA, {lease->id, 40}));
  EXPECT_TRUE(job.cut(kA, {lease->id, 20}));
  EXPECT_FALSE(job.cut(kA, {lease->id, 30}));  // given away already
}

TEST(JobCut, AWholeFileIsCutOnlyBetweenFiles) {
  Job job({}, {InputKind::File, {{"a", 10, 1, 2, 3}, {"b", 10, 1, 2, 4}}, 1, 1, 0, {}, 1}, {});
  const auto lease = job.lease(kA, kStart, 2);
  ASSERT_EQ(lease->end, 20);
  EXPECT_FALSE(job.cut(kA, {lease->id, 5}));
  EXPECT_TRUE(job.cut(kA, {lease->id, 10}));
}

TEST(JobCut, TheMergeIsNotCut) {
  JobSettings settings;
  settings.has_merge = true;
  Job job(settings, plan(InputKind::Range, 0, 1), {});
  const auto merge = job.lease(kA, kStart, 1);
  ASSERT_TRUE(merge);
  EXPECT_FALSE(job.cut(kA, {merge->id, merge->begin}));
}

}  // namespace
}  // namespace hostler
