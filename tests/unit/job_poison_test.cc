// Crashes that are to be blamed on a part of a slice: by hand, and as a model with plugins of every habit.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "core/job.h"

namespace hostler {
namespace {

constexpr WorkerId kA = 1;
const TimePoint kStart{std::chrono::hours(1)};
const Judgement kCrash{Verdict::Crash, "killed by SIGSEGV"};

Manifest numbers(std::int64_t count, std::int64_t slice) {
  return {InputKind::Range, {{"", count, 0, 0, 0}}, slice, 1, 0, {}, 1};
}

JobSettings tolerant() {
  JobSettings settings;
  settings.backoff.jitter = 0;
  settings.max_skipped.percent = 100;
  return settings;
}

Culprit record(std::int64_t position) {
  return {{position, position + 1}, true, true, {position, position + 1}, {}};
}

Culprit block(std::int64_t begin, std::int64_t end) {
  return {{begin, end}, false, false, {}, {}};
}

SliceOutcome crash(Job &job, TimePoint now, const Culprit &culprit, std::int64_t slices = 1) {
  const auto lease = job.lease(kA, now, slices);
  EXPECT_TRUE(lease);
  return lease ? job.lost(kA, lease->begin, kCrash, now, 0.5, culprit) : SliceOutcome{};
}

TEST(JobPoison, TheSecondCrashAtARecordIsolatesItAndItsNeighboursBeginAnew) {
  Job job(tolerant(), numbers(100, 100), {});
  EXPECT_EQ(crash(job, kStart, record(40)).state, SliceState::Backoff);
  const SliceOutcome outcome = crash(job, kStart + std::chrono::hours(1), record(40));
  EXPECT_EQ(outcome.state, SliceState::Isolated);
  EXPECT_EQ(outcome.begin, 40);
  EXPECT_EQ(outcome.reason, "slice 0-0: killed by SIGSEGV; isolated, the rest is tried again");
  const std::vector<SliceRow> rows = job.rows();
  ASSERT_EQ(rows.size(), 1U);  // the neighbours are untouched
  EXPECT_EQ(rows[0].begin, 40);
  EXPECT_EQ(rows[0].end, 41);
  EXPECT_EQ(rows[0].reason, "killed by SIGSEGV");
  const auto before = job.lease(kA, kStart, 1);
  const auto after = job.lease(kA, kStart, 1);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->begin, 0);
  EXPECT_EQ(before->end, 40);
  EXPECT_EQ(before->attempt, 1);
  EXPECT_EQ(after->begin, 41);
  EXPECT_EQ(after->end, 100);
  EXPECT_EQ(after->attempt, 1);
  ASSERT_TRUE(job.lease_ended(kA, {before->id, before->end}));
  ASSERT_TRUE(job.lease_ended(kA, {after->id, after->end}));
  EXPECT_EQ(job.state(), JobState::Partial);
  EXPECT_EQ(job.state_reason(), "1 record isolated; the first is 0-40: killed by SIGSEGV");
  EXPECT_EQ(job.progress().isolated, 1);
  EXPECT_EQ(job.progress().positions_isolated, 1);
  EXPECT_EQ(job.progress().quarantined, 0);
  EXPECT_EQ(job.progress().done, 1);
}

TEST(JobPoison, CrashesElsewhereAreChargedAndRememberedBesideEachOther) {
  Job job(tolerant(), numbers(100, 100), {});
  EXPECT_EQ(crash(job, kStart, record(40)).state, SliceState::Backoff);
  EXPECT_EQ(crash(job, kStart + std::chrono::hours(1), record(60)).state, SliceState::Backoff);
  EXPECT_EQ(crash(job, kStart + std::chrono::hours(2), record(40)).state, SliceState::Isolated);
  // What happened once at 60 is still known: the next one there is the second.
  EXPECT_EQ(crash(job, kStart, record(5)).state, SliceState::Backoff);
  EXPECT_EQ(crash(job, kStart, record(60)).state, SliceState::Isolated);
}

TEST(JobPoison, ASliceThatCrashesAtOtherPlacesEachTimeIsQuarantinedAfterItsAttempts) {
  Job job(tolerant(), numbers(100, 100), {});
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(crash(job, kStart + std::chrono::hours(i), record(i)).state, SliceState::Backoff);
  EXPECT_EQ(crash(job, kStart + std::chrono::hours(4), record(4)).state, SliceState::Quarantined);
}

TEST(JobPoison, WithoutACulpritNothingIsIsolated) {
  Job job(tolerant(), numbers(100, 100), {});
  for (int i = 1; i <= 4; ++i) {
    const TimePoint now = kStart + std::chrono::hours(i);
    const auto lease = job.lease(kA, now, 1);
    ASSERT_TRUE(lease);
    const SliceOutcome outcome = job.lost(kA, lease->begin, kCrash, now, 0.5);
    EXPECT_EQ(outcome.state, i < 4 ? SliceState::Backoff : SliceState::Quarantined);
  }
}

TEST(JobPoison, ACulpritOutsideOfTheSliceIsNotBelieved) {
  Job job(tolerant(), numbers(100, 100), {});
  for (int i = 1; i <= 4; ++i)
    EXPECT_EQ(crash(job, kStart + std::chrono::hours(i), i < 4 ? block(0, 101) : record(100)).state,
              i < 4 ? SliceState::Backoff : SliceState::Quarantined)
        << i;
}

TEST(JobPoison, TheSecondCrashWithoutAPositionHalvesTheSliceAndEachHalfIsTriedOnce) {
  Job job(tolerant(), numbers(8, 8), {});
  EXPECT_EQ(crash(job, kStart, block(0, 8)).state, SliceState::Backoff);
  EXPECT_EQ(crash(job, kStart + std::chrono::hours(1), block(0, 8)).state, SliceState::Ready);
  const auto left = job.lease(kA, kStart, 1);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->end, 4);
  EXPECT_EQ(left->attempt, 1);
  ASSERT_TRUE(job.lease_ended(kA, {left->id, left->end}));
  EXPECT_EQ(crash(job, kStart, block(4, 8)).state, SliceState::Ready);
  EXPECT_EQ(crash(job, kStart, block(4, 6)).state, SliceState::Ready);
  Culprit last = record(4);
  last.is_marked = false;
  EXPECT_EQ(crash(job, kStart, last).state, SliceState::Isolated);
  for (int i = 0; i < 2; ++i) {
    const auto rest = job.lease(kA, kStart, 9);
    ASSERT_TRUE(rest);
    ASSERT_TRUE(job.lease_ended(kA, {rest->id, rest->end}));
  }
  EXPECT_EQ(job.state(), JobState::Partial);
}

TEST(JobPoison, BisectingEndsWhereItHasCostMaxBisectAlsoAcrossAStartOfTheHost) {
  JobSettings settings = tolerant();
  settings.max_bisect = 4;
  Job job(settings, numbers(64, 64), {});
  (void)crash(job, kStart, block(0, 64));
  EXPECT_EQ(crash(job, kStart + std::chrono::hours(1), block(0, 64)).state, SliceState::Ready);
  Job next(settings, numbers(64, 64), job.rows());
  EXPECT_EQ(crash(next, kStart, block(0, 32)).state, SliceState::Ready);
  const SliceOutcome outcome = crash(next, kStart, block(0, 16));
  EXPECT_EQ(outcome.state, SliceState::Quarantined);
  EXPECT_NE(outcome.reason.find("bisecting has cost 4 attempts of max_bisect 4, quarantined"), std::string::npos)
      << outcome.reason;
  EXPECT_EQ(next.progress().quarantined, 1);
}

TEST(JobPoison, WithoutMaxBisectASliceIsNotHalved) {
  JobSettings settings = tolerant();
  settings.max_bisect = 0;
  Job job(settings, numbers(64, 64), {});
  for (int i = 1; i <= 4; ++i)
    EXPECT_EQ(crash(job, kStart + std::chrono::hours(i), block(0, 64)).state,
              i < 4 ? SliceState::Backoff : SliceState::Quarantined);
}

TEST(JobPoison, MoreIsolatedThanMaxSkippedAllowsFailsTheJobWithWords) {
  JobSettings settings = tolerant();
  settings.max_skipped = {2, 0};
  Job job(settings, numbers(100, 100), {});
  const std::set<std::int64_t> poison{10, 20, 30};
  TimePoint now = kStart;
  while (const auto lease = job.lease(kA, now += std::chrono::hours(1), 99)) {
    const auto at = poison.lower_bound(lease->begin);
    if (at != poison.end() && *at < lease->end) {
      (void)job.lost(kA, lease->begin, kCrash, now, 0.5, record(*at));
    } else {
      ASSERT_TRUE(job.lease_ended(kA, {lease->id, lease->end}));
    }
  }
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.state_reason(),
            "3 records isolated, more than max_skipped allows; the first is 0-10: killed by SIGSEGV");
  // Once it may have that many it is partial: what is isolated may be retried as well.
  settings.max_skipped = {3, 0};
  Job again(settings, numbers(100, 100), job.rows());
  EXPECT_EQ(again.state(), JobState::Partial);
  ASSERT_TRUE(again.retry({20}));
  const auto lease = again.lease(kA, kStart, 99);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->begin, 20);
  EXPECT_EQ(lease->end, 21);
  EXPECT_EQ(lease->attempt, 1);
  ASSERT_TRUE(again.lease_ended(kA, {lease->id, lease->end}));
  EXPECT_EQ(again.progress().isolated, 2);
  ASSERT_TRUE(again.retry({}));
  while (const auto rest = again.lease(kA, kStart, 99)) ASSERT_TRUE(again.lease_ended(kA, {rest->id, rest->end}));
  EXPECT_EQ(again.state(), JobState::Succeeded);
  EXPECT_FALSE(again.retry({}));
}

TEST(JobPoison, AJobWhoseEveryRecordIsPoisonIsNotTakenToPiecesForEver) {
  JobSettings settings = tolerant();
  settings.max_skipped = {};
  Job job(settings, numbers(100'000, 100'000), {});
  TimePoint now = kStart;
  int attempts = 0;
  while (const auto lease = job.lease(kA, now, 1)) {
    ASSERT_LT(++attempts, 1000);
    (void)job.lost(kA, lease->begin, kCrash, now, 0.5, record(lease->begin));
    now += std::chrono::hours(1);
  }
  EXPECT_EQ(job.state(), JobState::Failed);
  EXPECT_EQ(job.progress().isolated, 100);
  EXPECT_EQ(job.progress().quarantined, 1);
}

// ---- a model: a file of lines, some of them poison, and plugins of every habit

enum class Habit { Marks, ClaimsEach, ClaimsBlocks, ClaimsNothing };

class Model {
 public:
  Model(std::uint64_t seed, Habit habit) : random_(seed), habit_(habit) {
    for (std::int64_t begin = 0, lines = 20 + below(60); lines > 0; --lines) {
      begins_.push_back(begin);
      begin += 1 + below(12);
      size_ = begin;
    }
    for (const std::int64_t begin : begins_)
      if (below(12) == 0) poison_.insert(begin);
    Input input{"text", size_, 1, 2, 3};
    JobSettings settings = tolerant();
    settings.max_bisect = 1000;
    job_.emplace(settings, Manifest(InputKind::Lines, {input}, 1 + below(2 * size_), 1, 0, {}, 1),
                 std::vector<SliceRow>{});
  }

  void run() {
    for (int turn = 0; job_->state() == JobState::Running; ++turn) {
      ASSERT_LT(turn, 20'000);
      now_ += std::chrono::hours(1);
      if (below(20) == 0) restart();
      const auto lease = job_->lease(kA, now_, 1 + below(4));
      ASSERT_TRUE(lease);
      work(*lease);
    }
    for (const std::int64_t begin : begins_) EXPECT_EQ(done_[begin], poison_.contains(begin) ? 0 : 1) << begin;
    std::set<std::int64_t> isolated;
    for (const SliceRow &row : job_->rows())
      if (row.state == SliceState::Isolated) isolated.insert(row.begin);
    EXPECT_EQ(isolated, poison_);
    EXPECT_EQ(job_->progress().quarantined, 0);
    if (habit_ == Habit::Marks || habit_ == Habit::ClaimsEach) {
      EXPECT_EQ(crashes_, 2 * static_cast<int>(poison_.size()));
    }
  }

 private:
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }

  void restart() {
    Job next(job_settings(), job_->manifest(), job_->rows(), job_->next_lease());
    job_.emplace(std::move(next));
  }
  static JobSettings job_settings() {
    JobSettings settings = tolerant();
    settings.max_bisect = 1000;
    return settings;
  }

  [[nodiscard]] std::vector<std::int64_t> lines_in(Interval at) const {
    std::vector<std::int64_t> lines;
    for (const std::int64_t begin : begins_)
      if (begin >= at.begin && begin < at.end) lines.push_back(begin);
    return lines;
  }
  [[nodiscard]] std::int64_t end_of(std::int64_t line) const {
    const auto next = std::upper_bound(begins_.begin(), begins_.end(), line);
    return next == begins_.end() ? size_ : *next;
  }
  [[nodiscard]] std::optional<FoundRecord> find(const RecordQuery &query) const {
    if (query.at) {
      const std::int64_t line = *std::prev(std::upper_bound(begins_.begin(), begins_.end(), *query.at));
      return FoundRecord{{line, end_of(line)}, false, {}};
    }
    const auto lines = lines_in(query.block);
    if (lines.empty()) return std::nullopt;
    return FoundRecord{{lines[0], end_of(lines[0])}, end_of(lines[0]) >= query.block.end, {}};
  }

  void work(const Lease &lease) {
    for (std::int64_t p = lease.begin; p < lease.end;) {
      const SliceSpan slice = job_->manifest().slice_at(p, {lease.begin, lease.end});
      const auto lines = lines_in(slice.global);
      const auto killer =
          std::find_if(lines.begin(), lines.end(), [&](std::int64_t line) { return poison_.contains(line); });
      if (killer != lines.end()) return die(slice, *killer);
      SliceEnded ended;
      ended.lease = lease.id;
      ended.slice = slice.global;
      ASSERT_TRUE(job_->ended(kA, ended, {Verdict::Done, {}}, now_, 0.5));
      for (const std::int64_t line : lines) ++done_[line];
      p = slice.global.end;
    }
  }

  void die(const SliceSpan &slice, std::int64_t line) {
    WorkerPart page;
    page.claimed_from = page.claimed_to = slice.begin;
    switch (habit_) {
      case Habit::Marks:
        page.claimed_to = slice.end;
        page.at = line + below(end_of(line) - line);  // somewhere in it
        break;
      case Habit::ClaimsEach:
        page.claimed_from = line;
        page.claimed_to = std::min(end_of(line), slice.end);
        break;
      case Habit::ClaimsBlocks:
        page.claimed_from = std::max(slice.begin, line - below(30));
        page.claimed_to = std::min(slice.end, line + 1 + below(30));
        break;
      case Habit::ClaimsNothing: break;
    }
    if (page.at >= slice.end) page.at = line;
    ++crashes_;
    const Suspicion suspected = suspicion(page, {slice.begin, slice.end}, 1);
    const auto query = query_for(suspected, job_->manifest(), slice);
    ASSERT_TRUE(query);
    const auto blamed = culprit(suspected, job_->manifest(), slice, find(*query));
    const SliceOutcome outcome = job_->lost(kA, slice.global.begin, kCrash, now_, 0.5, blamed);
    ASSERT_NE(outcome.state, SliceState::Quarantined) << outcome.reason;
  }

  std::mt19937_64 random_;
  Habit habit_;
  std::vector<std::int64_t> begins_;
  std::int64_t size_ = 0;
  std::set<std::int64_t> poison_;
  std::map<std::int64_t, int> done_;
  int crashes_ = 0;
  std::optional<Job> job_;
  TimePoint now_ = kStart;
};

TEST(JobPoison, WhateverThePluginsHabitJustThePoisonIsIsolatedAndAllElseIsDoneOnce) {
  for (const Habit habit : {Habit::Marks, Habit::ClaimsEach, Habit::ClaimsBlocks, Habit::ClaimsNothing})
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      SCOPED_TRACE(testing::Message() << "habit " << static_cast<int>(habit) << ", seed " << seed);
      Model model(seed, habit);
      ASSERT_NO_FATAL_FAILURE(model.run());
      ASSERT_FALSE(testing::Test::HasFailure());
    }
}

}  // namespace
}  // namespace hostler
