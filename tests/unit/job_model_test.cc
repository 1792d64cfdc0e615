// Random steps on a job, compared with an oracle that keeps a state for every single slice.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/job.h"

namespace hostler {
namespace {

struct Naive {
  Interval at;
  SliceState state = SliceState::Ready;
  std::int32_t attempts = 0;
  std::int32_t temporaries = 0;
  WorkerId worker = 0;
  std::uint64_t lease = 0;
  bool operator==(const Naive &) const = default;
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    settings_.attempts = 3;
    settings_.max_temporary = 2;
    settings_.max_failed.percent = 100;
    settings_.backoff.jitter = 0;
    settings_.has_merge = below(2) == 0;
    std::vector<Input> inputs(below(5));
    for (Input &input : inputs) input.size = below(12);
    const InputKind kind = below(4) == 0 ? InputKind::File : InputKind::Lines;
    manifest_ = Manifest(kind, std::move(inputs), 1 + below(4), 1, 0, {}, 1);
    for (std::int64_t p = 0; p < manifest_.positions(); p = slices_.back().at.end)
      slices_.push_back({manifest_.slice_at(p).global});
    job_.emplace(settings_, manifest_, std::vector<SliceRow>{});
  }

  void run() {
    for (int step = 0; step < 400; ++step) {
      switch (below(7)) {
        case 0:
        case 1: lease(); break;
        case 2: end_slice(); break;
        case 3: end_lease(); break;
        case 4: commit(); break;
        case 5: lose(); break;
        case 6: below(10) == 0 ? restart() : tick(); break;
      }
      ASSERT_NO_FATAL_FAILURE(check()) << "step " << step;
    }
    finish();
  }

 private:
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }

  void tick() { now_ += std::chrono::milliseconds(below(2000)); }

  [[nodiscard]] bool is_merge(Interval at) const { return at.begin == manifest_.positions(); }

  void lease() {
    const auto worker = static_cast<WorkerId>(1 + below(4));
    const bool due = job_->has_due(now_);
    const std::optional<Lease> lease = job_->lease(worker, now_, 1 + below(5));
    ASSERT_EQ(lease.has_value(), due);
    if (!lease) return;
    if (lease->begin == manifest_.positions()) {
      ASSERT_TRUE(std::all_of(slices_.begin(), slices_.end(), [](const Naive &slice) {
        return slice.state == SliceState::Done || slice.state == SliceState::Quarantined;
      }));
      if (merge_.empty()) merge_.push_back({{lease->begin, lease->end}});
    }
    for_each(lease->begin, lease->end, [&](Naive &slice) {
      ASSERT_TRUE(slice.state == SliceState::Ready || slice.state == SliceState::Backoff);
      ASSERT_EQ(lease->attempt, slice.attempts + 1);
      slice.state = SliceState::Leased;
      slice.worker = worker;
      slice.lease = lease->id;
    });
    leases_.push_back(*lease);
    owners_.push_back(worker);
  }

  template <typename F>
  void for_each(std::int64_t begin, std::int64_t end, F function) {
    for (std::vector<Naive> *list : {&slices_, &merge_})
      for (Naive &slice : *list)
        if (slice.at.begin >= begin && slice.at.end <= end) function(slice);
  }

  // The slices of a lease that are still out.
  std::vector<Naive *> out(const Lease &lease) {
    std::vector<Naive *> result;
    for_each(lease.begin, lease.end, [&](Naive &slice) {
      if (slice.state == SliceState::Leased && slice.lease == lease.id) result.push_back(&slice);
    });
    return result;
  }

  // A lease with something still out; forgets those without.
  std::optional<std::size_t> pick() {
    for (std::size_t i = leases_.size(); i-- > 0;)
      if (out(leases_[i]).empty()) forget(i);
    if (leases_.empty()) return std::nullopt;
    return static_cast<std::size_t>(below(static_cast<std::int64_t>(leases_.size())));
  }

  void forget(std::size_t i) {
    leases_.erase(leases_.begin() + static_cast<std::ptrdiff_t>(i));
    owners_.erase(owners_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void apply(Naive &slice, Verdict verdict, bool files) {
    switch (verdict) {
      case Verdict::Done: slice.state = files ? SliceState::Committing : SliceState::Done; return;
      case Verdict::BadData:
        ++slice.attempts;
        slice.state = SliceState::Quarantined;
        return;
      case Verdict::Crash:
        slice.state = ++slice.attempts >= settings_.attempts ? SliceState::Quarantined : SliceState::Backoff;
        return;
      case Verdict::RetryLater:
        if (slice.temporaries >= settings_.max_temporary) {
          ++slice.attempts;
          slice.state = SliceState::Quarantined;
        } else {
          ++slice.temporaries;
          slice.state = SliceState::Backoff;
        }
        return;
      default: slice.state = SliceState::Ready; return;
    }
  }

  Verdict any_verdict() {
    constexpr std::array<Verdict, 8> kAll = {Verdict::Done,  Verdict::Done,       Verdict::Done,  Verdict::BadData,
                                             Verdict::Crash, Verdict::RetryLater, Verdict::Yield, Verdict::Interrupted};
    return kAll[static_cast<std::size_t>(below(kAll.size()))];
  }

  void end_slice() {
    const std::optional<std::size_t> i = pick();
    if (!i) return;
    const std::vector<Naive *> left = out(leases_[*i]);
    const auto which = static_cast<std::size_t>(below(static_cast<std::int64_t>(left.size())));
    const Verdict verdict = any_verdict();
    SliceEnded ended;
    ended.lease = leases_[*i].id;
    ended.slice = left[which]->at;
    if (below(2) == 0) ended.files = {"part"};
    const Result<SliceOutcome> outcome = job_->ended(owners_[*i], ended, {verdict, "reason"}, now_, 0.5);
    ASSERT_TRUE(outcome) << outcome.error().text();
    for (std::size_t before = 0; before < which; ++before) left[before]->state = SliceState::Done;
    apply(*left[which], verdict, !ended.files.empty());
    ASSERT_EQ(outcome->state, left[which]->state);
  }

  void end_lease() {
    const std::optional<std::size_t> i = pick();
    if (!i) return;
    const std::vector<Naive *> left = out(leases_[*i]);
    const auto count = static_cast<std::size_t>(below(static_cast<std::int64_t>(left.size()) + 1));
    const std::int64_t up_to = count < left.size() ? left[count]->at.begin : leases_[*i].end;
    ASSERT_TRUE(job_->lease_ended(owners_[*i], {leases_[*i].id, up_to}));
    for (std::size_t n = 0; n < left.size(); ++n) left[n]->state = n < count ? SliceState::Done : SliceState::Ready;
    forget(*i);
  }

  void commit() {
    for_each(0, manifest_.positions() + 1, [&](Naive &slice) {
      if (slice.state != SliceState::Committing || below(2) == 0) return;
      job_->committed(slice.at);
      slice.state = SliceState::Done;
    });
  }

  void lose() {
    const std::optional<std::size_t> i = pick();
    if (!i) return;
    const WorkerId worker = owners_[*i];
    const std::vector<Naive *> left = out(leases_[*i]);
    Naive *begun =
        below(3) == 0 ? nullptr : left[static_cast<std::size_t>(below(static_cast<std::int64_t>(left.size())))];
    Verdict verdict = any_verdict();
    const SliceOutcome outcome = job_->lost(worker, begun == nullptr ? std::nullopt : std::optional(begun->at.begin),
                                            {verdict, "reason"}, now_, 0.5);
    if (verdict == Verdict::Done) verdict = Verdict::RetryLater;
    for_each(0, manifest_.positions() + 1, [&](Naive &slice) {
      if (slice.state != SliceState::Leased || slice.worker != worker) return;
      slice.state = SliceState::Ready;
      if (&slice == begun) apply(slice, verdict, false);
    });
    ASSERT_FALSE(job_->holds_lease(worker));
    if (begun != nullptr) {
      ASSERT_EQ(outcome.state, begun->state);
    }
  }

  // The host dies: the ledger is what has been taken.
  void restart() {
    std::vector<SliceRow> rows;
    for (const auto &[begin, row] : ledger_) rows.push_back(row);
    job_.emplace(settings_, manifest_, std::move(rows));
    leases_.clear();
    owners_.clear();
    for_each(0, manifest_.positions() + 1, [](Naive &slice) {
      if (slice.state == SliceState::Leased) slice.state = SliceState::Ready;
    });
  }

  void apply_changes() {
    for (const RowDelta &delta : job_->take_changes()) {
      ASSERT_NE(delta.erase.has_value(), delta.put.has_value());
      if (delta.erase) {
        ASSERT_EQ(ledger_.erase(*delta.erase), 1U);
      }
      if (delta.put) ledger_[delta.put->begin] = *delta.put;
    }
  }

  void check() {
    ASSERT_NO_FATAL_FAILURE(apply_changes());
    const std::vector<SliceRow> rows = job_->rows();
    ASSERT_EQ(rows.size(), ledger_.size());
    std::int64_t covered = 0;
    bool after_plain_done = false;
    for (const SliceRow &row : rows) {
      ASSERT_EQ(ledger_.at(row.begin), row);
      ASSERT_GE(row.begin, covered);
      ASSERT_GT(row.end, row.begin);
      const bool plain_done = row.state == SliceState::Done && row.plain() && row.begin < manifest_.positions();
      ASSERT_FALSE(row.begin == covered && plain_done && after_plain_done);
      after_plain_done = plain_done;
      covered = row.end;
    }
    check_slices(rows);
    check_progress();
  }

  void check_slices(const std::vector<SliceRow> &rows) {
    for_each(0, manifest_.positions() + 1, [&](Naive &slice) {
      auto row = std::upper_bound(rows.begin(), rows.end(), slice.at.begin,
                                  [](std::int64_t p, const SliceRow &r) { return p < r.begin; });
      const bool has_row = row != rows.begin() && std::prev(row)->end >= slice.at.end;
      ASSERT_EQ(has_row, slice.state != SliceState::Ready || slice.attempts + slice.temporaries > 0);
      if (!has_row) return;
      --row;
      ASSERT_EQ(row->state, slice.state) << slice.at.begin;
      ASSERT_EQ(row->attempts, slice.attempts);
      ASSERT_EQ(row->temporaries, slice.temporaries);
    });
  }

  std::int64_t count(SliceState state) {
    return std::count_if(slices_.begin(), slices_.end(), [&](const Naive &slice) { return slice.state == state; });
  }

  void check_progress() {
    const JobProgress progress = job_->progress();
    ASSERT_EQ(progress.slices, static_cast<std::int64_t>(slices_.size()));
    ASSERT_EQ(progress.done, count(SliceState::Done));
    ASSERT_EQ(progress.leased, count(SliceState::Leased) + count(SliceState::Committing));
    ASSERT_EQ(progress.backoff, count(SliceState::Backoff));
    ASSERT_EQ(progress.quarantined, count(SliceState::Quarantined));
    const bool ended = count(SliceState::Done) + count(SliceState::Quarantined) == progress.slices;
    const bool merged =
        !settings_.has_merge ||
        (!merge_.empty() && (merge_[0].state == SliceState::Done || merge_[0].state == SliceState::Quarantined));
    ASSERT_EQ(job_->state() != JobState::Running, ended && merged);
  }

  // From any point on, good workers bring the job to its end.
  void finish() {
    for (int turn = 0; job_->state() == JobState::Running; ++turn) {
      ASSERT_LT(turn, 1000);
      now_ += std::chrono::hours(1);
      lease();
      while (pick()) end_lease();
      commit();
      ASSERT_NO_FATAL_FAILURE(check());
    }
    const bool merge_failed = !merge_.empty() && merge_[0].state == SliceState::Quarantined;
    const JobState expected = merge_failed                          ? JobState::Failed
                              : count(SliceState::Quarantined) == 0 ? JobState::Succeeded
                                                                    : JobState::Partial;
    EXPECT_EQ(job_->state(), expected);
  }

  std::mt19937_64 random_;
  JobSettings settings_;
  Manifest manifest_;
  std::optional<Job> job_;
  std::vector<Naive> slices_;
  std::vector<Naive> merge_;  // none or one
  std::vector<Lease> leases_;
  std::vector<WorkerId> owners_;
  std::map<std::int64_t, SliceRow> ledger_;
  TimePoint now_{std::chrono::hours(1)};
};

TEST(JobModel, RandomStepsAgreeWithAnOracleOfSingleSlices) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    ASSERT_NO_FATAL_FAILURE(model.run());
  }
}

}  // namespace
}  // namespace hostler
