// Handing out, and what can be asked of a job. What workers tell is in job_ended.cc.
#include "core/job.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/human_text.h"

namespace hostler {
namespace {

constexpr std::array<std::string_view, 5> kStateNames = {"running", "succeeded", "partial", "failed", "cancelled"};

// A lease carries the paths or items of its slices: it ends where they become a burden for the channel.
constexpr std::size_t kMaxLeaseText = std::size_t{1} << 20;
constexpr std::size_t kInputCost = 64;

constexpr Duration kBetweenTrials = std::chrono::seconds(1);

// The first position of [begin, end) whose input or item would be too much; at least one input or item is taken.
std::int64_t affordable_end(const Manifest &manifest, std::int64_t begin, std::int64_t end) {
  std::size_t text = 0;
  if (manifest.kind() == InputKind::Items) {
    for (std::int64_t p = begin; p < end; ++p) {
      text += manifest.items()[static_cast<std::size_t>(p)].size() + kInputCost;
      if (text > kMaxLeaseText && p > begin) return p;
    }
    return end;
  }
  const std::int32_t first = manifest.input_at(begin);
  const std::int32_t last = manifest.input_at(end - 1);
  for (std::int32_t input = first; input <= last; ++input) {
    text += manifest.inputs()[static_cast<std::size_t>(input)].path.size() + kInputCost;
    if (text > kMaxLeaseText && input > first) return manifest.offset(input);
  }
  return end;
}

template <typename T>
std::vector<T> part(const std::vector<T> &all, std::int64_t first, std::int64_t end) {
  return {all.begin() + first, all.begin() + end};
}

}  // namespace

std::string_view name(JobState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

std::optional<JobState> job_state_from_name(std::string_view text) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i)
    if (kStateNames[i] == text) return static_cast<JobState>(i);
  return std::nullopt;
}

Job::Job(JobSettings settings, Manifest manifest, std::vector<SliceRow> rows, std::uint64_t first_lease,
         const Skipped &skipped)
    : settings_(settings), table_(std::move(manifest), std::move(rows)), next_lease_(first_lease), skipped_(skipped) {
  for (const SliceRow &row : table_.rows())
    if (row.state == SliceState::Backoff && row.begin != table_.merge_position())
      waiting_.emplace(TimePoint::min(), row.begin);
  recall_bisecting();
  for (const SliceRow &row : table_.rows())
    if (row.trouble.waits) change_trouble(row.begin, acquit);
  settle();
}

bool Job::may_hand_out(TimePoint now) const {
  return state_ == JobState::Running && (!no_room_ || no_room_->next_trial <= now);
}

void Job::wait_for_room(TimePoint now) {
  no_room_ = {now + kBetweenTrials, next_lease_};
}

void Job::found_room(std::uint64_t lease) {
  if (no_room_ && lease >= no_room_->first_trial) no_room_.reset();
}

std::optional<Lease> Job::lease(WorkerId worker, TimePoint now, std::int64_t max_slices) {
  if (!may_hand_out(now)) return std::nullopt;
  if (!no_room_) return lease_due(worker, now, max_slices);
  std::optional<Lease> trial = lease_due(worker, now, 1);
  if (trial) no_room_->next_trial = now + kBetweenTrials;
  return trial;
}

std::optional<Lease> Job::lease_due(WorkerId worker, TimePoint now, std::int64_t max_slices) {
  if (const std::optional<Interval> untouched = table_.first_untouched()) {
    const Interval run{untouched->begin, lease_end(*untouched, std::max<std::int64_t>(max_slices, 1))};
    table_.lease_untouched(run);
    return hand_out(worker, run, 1);
  }
  if (!table_.ready().empty()) return lease_again(worker, *table_.ready().begin());
  if (!waiting_.empty() && waiting_.begin()->first <= now) {
    const std::int64_t begin = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    return lease_again(worker, begin);
  }
  if (!merge_due(now)) return std::nullopt;
  const std::int64_t merge = table_.merge_position();
  if (table_.find(merge) != nullptr) return lease_again(worker, merge);
  table_.lease_merge();
  return hand_out(worker, {merge, merge + 1}, 1);
}

std::int64_t Job::lease_end(Interval untouched, std::int64_t max_slices) const {
  const Manifest &plan = manifest();
  const std::int64_t end = std::min(untouched.end, plan.end_of_run(untouched.begin, max_slices));
  const std::int64_t affordable = affordable_end(plan, untouched.begin, end);
  if (affordable >= end) return end;
  // Back to a slice's begin, but at least one slice.
  const SliceSpan cut = plan.slice_at(affordable, untouched);
  return cut.global.begin > untouched.begin ? cut.global.begin : cut.global.end;
}

Lease Job::lease_again(WorkerId worker, std::int64_t begin) {
  SliceRow row = table_.take(begin);
  row.state = SliceState::Leased;
  if (row.checkpoint && row.checkpoint->state_version != settings_.state_version) end_checkpoint(row, true);
  const Interval slice{row.begin, row.end};
  const std::int32_t attempt = row.attempts + 1;
  const std::shared_ptr<const Checkpoint> checkpoint = row.checkpoint;
  table_.put(std::move(row));
  Lease lease = hand_out(worker, slice, attempt);
  if (checkpoint) lease.saved = Saved{checkpoint->position, {}, checkpoint->attempt_dir, checkpoint->files};
  return lease;
}

Lease Job::hand_out(WorkerId worker, Interval interval, std::int32_t attempt) {
  const Manifest &plan = manifest();
  Lease lease;
  lease.id = next_lease_++;
  lease.begin = interval.begin;
  lease.end = interval.end;
  lease.attempt = attempt;
  lease.kind = plan.kind();
  lease.slice_size = plan.slice_size();
  lease.unit = plan.unit();
  lease.base = plan.base();
  lease.plan_count = plan.slice_count();
  holders_[worker].leases.push_back({lease.id, interval, interval.begin});
  if (interval.begin == table_.merge_position()) return lease;
  lease.first_input = plan.input_at(interval.begin);
  lease.first_offset = plan.offset(lease.first_input);
  lease.first_index = plan.slices_in({0, lease.first_offset});
  lease.inputs = part(plan.inputs(), lease.first_input, plan.input_at(interval.end - 1) + 1);
  if (plan.kind() == InputKind::Items) {
    lease.items_first = plan.base() + interval.begin;
    lease.items = part(plan.items(), interval.begin, interval.end);
  }
  return lease;
}

void Job::set_settings(JobSettings settings) {
  settings_ = settings;
  settle();
}

bool Job::holds_lease(WorkerId worker) const {
  return leases_held(worker) > 0;
}

std::int64_t Job::leases_held(WorkerId worker) const {
  const auto at = holders_.find(worker);
  return at == holders_.end() ? 0 : static_cast<std::int64_t>(at->second.leases.size());
}

bool Job::has_due(TimePoint now) const {
  if (!may_hand_out(now)) return false;
  if (table_.untouched_slices() > 0 || !table_.ready().empty()) return true;
  return (!waiting_.empty() && waiting_.begin()->first <= now) || merge_due(now);
}

std::optional<TimePoint> Job::next_due() const {
  if (state_ != JobState::Running) return std::nullopt;
  if (no_room_ && (ready_slices() > 0 || merge_is_ready())) return no_room_->next_trial;
  const std::optional<TimePoint> due = backoff_due();
  return due && no_room_ ? std::max(*due, no_room_->next_trial) : due;
}

void Job::end_backoff() {
  for (const auto &[due, begin] : std::exchange(waiting_, {})) waiting_.emplace(TimePoint::min(), begin);
  merge_due_ = TimePoint::min();
}

std::optional<TimePoint> Job::backoff_due() const {
  if (!waiting_.empty()) return waiting_.begin()->first;
  const SliceRow *merge = table_.find(table_.merge_position());
  if (merge != nullptr && merge->state == SliceState::Backoff) return merge_due_;
  return std::nullopt;
}

bool Job::others_ended() const {
  return table_.untouched_slices() == 0 && table_.slices(SliceState::Ready) == 0 &&
         table_.slices(SliceState::Leased) == 0 && table_.slices(SliceState::Committing) == 0 &&
         table_.slices(SliceState::Backoff) == 0;
}

bool Job::merge_is_ready() const {
  const SliceRow *row = table_.find(table_.merge_position());
  return settings_.has_merge && others_ended() && (row == nullptr || row->state == SliceState::Ready);
}

bool Job::merge_due(TimePoint now) const {
  if (!settings_.has_merge || !others_ended() || merge_is_dangerous()) return false;
  const SliceRow *row = table_.find(table_.merge_position());
  if (row == nullptr) return true;
  switch (row->state) {
    case SliceState::Ready: return true;
    case SliceState::Backoff: return merge_due_ <= now;
    case SliceState::Leased:
    case SliceState::Committing:
    case SliceState::Done:
    case SliceState::Quarantined:
    case SliceState::Isolated: return false;
  }
  return false;
}

std::int64_t Job::open_slices() const {
  const std::int64_t leased = table_.slices(SliceState::Leased);
  const SliceRow *merge = table_.find(table_.merge_position());
  const bool merge_leased = merge != nullptr && merge->state == SliceState::Leased;
  if (state_ != JobState::Running) return leased + (merge_leased ? 1 : 0);
  const std::int64_t open =
      leased + table_.untouched_slices() + table_.slices(SliceState::Ready) + table_.slices(SliceState::Backoff);
  if (open > 0) return open;
  return merge_leased || (settings_.has_merge && (merge == nullptr || merge->state != SliceState::Committing)) ? 1 : 0;
}

std::int64_t Job::ready_slices() const {
  return table_.untouched_slices() + table_.slices(SliceState::Ready);
}

JobProgress Job::progress() const {
  JobProgress progress;
  progress.slices = manifest().slice_count();
  progress.leased = table_.slices(SliceState::Leased) + table_.slices(SliceState::Committing);
  progress.backoff = table_.slices(SliceState::Backoff);
  progress.quarantined = table_.quarantined_slices();
  progress.isolated = table_.slices(SliceState::Isolated);
  progress.positions = manifest().positions();
  progress.positions_done = table_.positions_done() + table_.positions_checkpointed();
  progress.skipped = skipped_;
  progress.positions_isolated = table_.positions_isolated();
  progress.retries = table_.retries();
  progress.done = progress.slices - table_.unfinished_slices();
  return progress;
}

std::string Job::place(std::int64_t global) const {
  if (global < 0 || global >= table_.merge_position()) return "merge";
  const SliceSpan slice = manifest().slice_from(global);
  return fmt::format("{}-{}", slice.input, slice.begin);
}

std::string Job::first_of(const std::set<std::int64_t> &rows) const {
  const SliceRow *row = table_.find(*rows.begin());
  return fmt::format("{}: {}", place(row->begin), row->reason);
}

Skipped Job::aside() const {
  Skipped all = skipped_;
  all += {table_.slices(SliceState::Isolated), table_.positions_isolated()};
  return all;
}

bool Job::may_skip(const Skipped &aside) const {
  return aside.records <= settings_.max_skipped.count ||
         settings_.max_skipped.allows(aside.positions, manifest().positions());
}

// What is said of both comes before the first of the isolated ones, whose reason may be long.
std::string Job::aside_words(std::string_view verdict) const {
  const std::int64_t isolated = table_.slices(SliceState::Isolated);
  const std::string skipped = skipped_.records > 0 ? counted(skipped_.records, "record") + " skipped" : "";
  if (isolated == 0) return fmt::format("{}{}", skipped, verdict);
  return fmt::format("{}{} isolated{}; the first is {}", skipped.empty() ? "" : skipped + ", ",
                     counted(isolated, "record"), verdict, first_of(table_.isolated()));
}

void Job::settle() {
  if (state_ != JobState::Running) return;
  const std::int64_t all = manifest().slice_count();
  if (!others_ended()) return;  // a slice that is given up holds up no other
  const std::int64_t bad = table_.quarantined_slices();
  if (!settings_.max_failed.allows(bad, all))
    return settle_as(JobState::Failed,
                     fmt::format("{} of {} quarantined, more than max_failed allows; the first is slice {}", bad,
                                 counted(all, "slice"), first_of(table_.quarantined())));
  if (!may_skip(aside())) return settle_as(JobState::Failed, aside_words(", more than max_skipped allows"));
  if (settings_.has_merge) {
    const SliceRow *merge = table_.find(table_.merge_position());
    if (merge == nullptr) return;
    if (merge->state == SliceState::Quarantined) return settle_as(JobState::Failed, "merge: " + merge->reason);
    if (merge->state != SliceState::Done) return;
  }
  std::string words;
  if (bad > 0)
    words = fmt::format("{} of {} quarantined; the first is slice {}", bad, counted(all, "slice"),
                        first_of(table_.quarantined()));
  if (aside().records > 0) words += (words.empty() ? "" : "; ") + aside_words({});
  const JobState state = words.empty() ? JobState::Succeeded : JobState::Partial;
  settle_as(state, std::move(words));
}

void Job::settle_as(JobState state, std::string reason) {
  state_ = state;
  state_reason_ = std::move(reason);
}

}  // namespace hostler
