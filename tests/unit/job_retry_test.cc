#include <gtest/gtest.h>

#include "core/job.h"

namespace hostler {
namespace {

constexpr WorkerId kA = 1;
const TimePoint kStart{std::chrono::hours(1)};

Manifest numbers(std::int64_t count) {
  return {InputKind::Range, {{"", count, 0, 0, 0}}, 10, 1, 0, {}, 1};
}

SliceRow row(std::int64_t begin, std::int64_t end, SliceState state, std::int32_t attempts = 0) {
  return {begin, end, state, attempts, 0, attempts > 0 ? "killed by SIGSEGV" : ""};
}

JobSettings with_merge() {
  JobSettings settings;
  settings.has_merge = true;
  settings.max_failed.count = 10;
  return settings;
}

// Ten slices; the third and the eighth are given up.
std::vector<SliceRow> two_given_up() {
  return {row(0, 20, SliceState::Done), row(20, 30, SliceState::Quarantined, 4), row(30, 70, SliceState::Done),
          row(70, 80, SliceState::Quarantined, 1), row(80, 100, SliceState::Done)};
}

TEST(JobRetry, AllThatIsGivenUpIsTriedAgainAsIfItHadNeverBeen) {
  Job job({}, numbers(100), two_given_up());
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.retry({}).value_or(0), 2);
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_EQ(job.progress().quarantined, 0);
  EXPECT_EQ(job.progress().retries, 0);
  const auto lease = job.lease(kA, kStart, 100);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->begin, 20);
  EXPECT_EQ(lease->end, 30);
  EXPECT_EQ(lease->attempt, 1);
}

TEST(JobRetry, OnlyTheSlicesThatAreNamed) {
  Job job({}, numbers(100), two_given_up());
  EXPECT_EQ(job.retry({70, 70}).value_or(0), 1);
  EXPECT_EQ(job.progress().quarantined, 1);
  const auto lease = job.lease(kA, kStart, 100);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->begin, 70);
}

TEST(JobRetry, AMergeThatHasEndedIsMadeAgain) {
  auto rows = two_given_up();
  rows.push_back(row(100, 101, SliceState::Done));
  Job job(with_merge(), numbers(100), rows);
  EXPECT_EQ(job.state(), JobState::Partial);
  EXPECT_TRUE(job.merge_ended());
  (void)job.take_changes();
  ASSERT_TRUE(job.retry({}));
  EXPECT_FALSE(job.merge_ended());
  const std::vector<RowDelta> gone{{20, {}}, {70, {}}, {100, {}}};
  EXPECT_EQ(job.take_changes(), gone);
  for (int i = 0; i < 2; ++i) {
    const auto lease = job.lease(kA, kStart, 1);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(job.lease_ended(kA, {lease->id, lease->end}));
  }
  const auto merge = job.lease(kA, kStart, 1);
  ASSERT_TRUE(merge);
  EXPECT_EQ(merge->begin, 100);
}

TEST(JobRetry, AMergeThatIsGivenUpIsTriedAgain) {
  Job job(with_merge(), numbers(100), {row(0, 100, SliceState::Done), row(100, 101, SliceState::Quarantined, 4)});
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.retry({100}).value_or(0), 1);
  EXPECT_EQ(job.state(), JobState::Running);
  EXPECT_EQ(job.lease(kA, kStart, 1)->attempt, 1);
}

TEST(JobRetry, WhatIsNotGivenUpIsRefusedAndNothingChanges) {
  Job job({}, numbers(100), two_given_up());
  (void)job.take_changes();
  EXPECT_FALSE(job.retry({20, 30}));
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_TRUE(job.take_changes().empty());
  Job fine({}, numbers(100), {row(0, 100, SliceState::Done)});
  EXPECT_EQ(fine.retry({}).error().what, "nothing of it is quarantined");
}

TEST(JobRetry, AMergeAtWorkIsNotDisturbed) {
  Job job(with_merge(), numbers(100), two_given_up());
  ASSERT_TRUE(job.lease(kA, kStart, 1));
  EXPECT_FALSE(job.retry({}));
  EXPECT_EQ(job.progress().quarantined, 2);
}

TEST(JobRetry, ACancelledJobHandsOutNothingAndTakesBackWhatIsOut) {
  Job job({}, numbers(100), {});
  const auto lease = job.lease(kA, kStart, 4);
  job.cancel();
  EXPECT_EQ(job.state(), JobState::Cancelled);
  EXPECT_FALSE(job.lease(2, kStart, 1));
  EXPECT_FALSE(job.has_due(kStart));
  ASSERT_TRUE(job.lease_ended(kA, {lease->id, 20}));
  EXPECT_EQ(job.progress().done, 2);
  EXPECT_EQ(job.open_slices(), 0);
  EXPECT_EQ(job.state(), JobState::Cancelled);
}

TEST(JobRetry, AJobThatHasEndedIsNotCancelled) {
  Job job({}, numbers(100), {row(0, 100, SliceState::Done)});
  job.cancel();
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

}  // namespace
}  // namespace hostler
