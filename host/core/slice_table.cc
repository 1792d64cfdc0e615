#include "core/slice_table.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/host_deaths.h"

namespace hostler {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"ready",   "running",     "committing", "done",
                                                    "backoff", "quarantined", "isolated"};

// Nothing of it is to be done any more.
bool is_settled(SliceState state) {
  return state == SliceState::Done || state == SliceState::Isolated;
}

}  // namespace

std::string_view name(SliceState state) {
  return kNames[static_cast<std::size_t>(state)];
}

std::optional<SliceState> slice_state_from_name(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == text) return static_cast<SliceState>(i);
  return std::nullopt;
}

SliceTable::SliceTable(Manifest manifest, std::vector<SliceRow> rows) : manifest_(std::move(manifest)) {
  for (const SliceRow &row : rows) {
    if (row.state != SliceState::Leased && row.state != SliceState::Ready) {
      put(row);
    } else if (!row.plain()) {
      SliceRow ready = row;
      ready.state = SliceState::Ready;
      (void)cut_behind_checkpoint(ready);
      insert(std::move(ready));
    }
  }
  add_gaps();
  note_differences(std::move(rows));
}

void SliceTable::add_gaps() {
  std::int64_t covered = 0;
  for (const auto &[begin, row] : rows_) {
    if (begin > covered) add_untouched({covered, std::min(begin, merge_position())});
    covered = row.end;
  }
  if (covered < merge_position()) add_untouched({covered, merge_position()});
}

// What the start of a host made of the ledger's rows must go to the ledger as well.
void SliceTable::note_differences(std::vector<SliceRow> loaded) {
  former_.clear();
  for (SliceRow &row : loaded) {
    const SliceRow *now = find(row.begin);
    if (now != nullptr && *now == row) continue;
    const std::int64_t begin = row.begin;
    former_.emplace(begin, std::move(row));
  }
}

std::optional<Interval> SliceTable::first_untouched() const {
  if (untouched_.empty()) return std::nullopt;
  return Interval{untouched_.begin()->first, untouched_.begin()->second};
}

void SliceTable::lease_untouched(Interval interval) {
  const std::int64_t end = untouched_.begin()->second;
  tally_untouched({interval.begin, end}, -1);
  untouched_.erase(untouched_.begin());
  if (interval.end < end) add_untouched({interval.end, end});
  insert({interval.begin, interval.end, SliceState::Leased, 0, 0, {}});
}

void SliceTable::lease_merge() {
  insert({merge_position(), merge_position() + 1, SliceState::Leased, 0, 0, {}});
}

SliceRow SliceTable::take(std::int64_t begin) {
  return remove(rows_.find(begin));
}

void SliceTable::put(SliceRow row) {
  if (row.begin >= row.end) return;
  if (coalesces(row)) {
    auto next = rows_.upper_bound(row.begin);
    if (next != rows_.end() && next->first == row.end && coalesces(next->second)) row.end = remove(next).end;
    next = rows_.lower_bound(row.begin);
    if (next != rows_.begin()) {
      const auto before = std::prev(next);
      if (before->second.end == row.begin && coalesces(before->second)) row.begin = remove(before).begin;
    }
  }
  insert(std::move(row));
}

void SliceTable::give_back(SliceRow row) {
  if (row.begin >= row.end) return;
  row.state = SliceState::Ready;
  if (SliceRow rest = cut_behind_checkpoint(row); rest.begin < rest.end) give_back(std::move(rest));
  if (!row.plain()) {
    insert(std::move(row));
  } else if (row.begin < merge_position()) {
    add_untouched({row.begin, row.end});
  }
}

std::optional<SliceRow> SliceTable::take_waiting(std::int64_t position) {
  if (position == merge_position()) {
    const SliceRow *merge = find(position);
    if (merge == nullptr) return SliceRow{position, position + 1, SliceState::Ready, 0, 0, {}};
    return merge->state == SliceState::Ready ? std::optional(take(position)) : std::nullopt;
  }
  if (position < 0 || position > merge_position()) return std::nullopt;
  const auto row = rows_.upper_bound(position);
  if (row != rows_.begin() && std::prev(row)->second.end > position) {
    if (std::prev(row)->second.state != SliceState::Ready) return std::nullopt;
    SliceRow found = remove(std::prev(row));
    const Interval whole{found.begin, found.end};
    const Interval slice = manifest_.slice_at(position, whole).global;
    SliceRow rest = found;
    rest.end = slice.begin;
    give_back(rest);
    rest.begin = slice.end;
    rest.end = whole.end;
    give_back(std::move(rest));
    found.begin = slice.begin;
    found.end = slice.end;
    return found;
  }
  const auto stretch = std::prev(untouched_.upper_bound(position));
  const Interval whole{stretch->first, stretch->second};
  const Interval slice = manifest_.slice_at(position, whole).global;
  tally_untouched(whole, -1);
  untouched_.erase(stretch);
  if (whole.begin < slice.begin) add_untouched({whole.begin, slice.begin});
  if (slice.end < whole.end) add_untouched({slice.end, whole.end});
  return SliceRow{slice.begin, slice.end, SliceState::Ready, 0, 0, {}};
}

const SliceRow *SliceTable::find(std::int64_t begin) const {
  const auto at = rows_.find(begin);
  return at == rows_.end() ? nullptr : &at->second;
}

std::vector<SliceRow> SliceTable::rows() const {
  std::vector<SliceRow> all;
  all.reserve(rows_.size());
  for (const auto &[begin, row] : rows_) all.push_back(row);
  return all;
}

std::vector<RowDelta> SliceTable::take_changes() {
  std::vector<RowDelta> deltas;
  for (const auto &[begin, was] : former_) {
    const SliceRow *now = find(begin);
    if (now == nullptr) {
      if (was) deltas.push_back({begin, std::nullopt});
    } else if (!was || *was != *now) {
      deltas.push_back({std::nullopt, *now});
    }
  }
  former_.clear();
  return deltas;
}

bool SliceTable::coalesces(const SliceRow &row) const {
  return row.state == SliceState::Done && row.plain() && row.begin != merge_position();
}

// The checkpoint is of the row's first slice; what follows is returned, and may be nothing.
SliceRow SliceTable::cut_behind_checkpoint(SliceRow &row) const {
  SliceRow rest = row;
  rest.begin = row.end;
  if (!row.checkpoint) return rest;
  row.end = manifest_.slice_at(row.begin, {row.begin, row.end}).global.end;
  rest.begin = row.end;
  rest.checkpoint.reset();
  return rest;
}

std::int64_t SliceTable::slices_touched(Interval interval) const {
  return manifest_.slice_at(interval.end - 1).index - manifest_.slice_at(interval.begin).index + 1;
}

void SliceTable::tally(const SliceRow &row, std::int64_t sign) {
  retries_ += sign * (row.attempts + row.temporaries -
                      (row.state == SliceState::Quarantined || row.state == SliceState::Isolated ? 1 : 0));
  if (row.begin >= merge_position()) return;
  if (row.state == SliceState::Done) {
    positions_done_ += sign * (row.end - row.begin);
  } else if (row.state == SliceState::Isolated) {
    positions_isolated_ += sign * (row.end - row.begin);
    slices_[static_cast<std::size_t>(row.state)] += sign;
  } else {
    slices_[static_cast<std::size_t>(row.state)] += sign * slices_touched({row.begin, row.end});
    if (!begins_a_slice(row.begin)) parts_ += sign;
    const bool waits = row.state == SliceState::Ready || row.state == SliceState::Backoff;
    if (waits && row.checkpoint) positions_checkpointed_ += sign * (row.checkpoint->position - row.begin);
  }
}

void SliceTable::tally_untouched(Interval interval, std::int64_t sign) {
  untouched_slices_ += sign * slices_touched(interval);
  if (!begins_a_slice(interval.begin)) parts_ += sign;
}

bool SliceTable::begins_a_slice(std::int64_t position) const {
  return manifest_.slice_at(position).global.begin == position;
}

std::int64_t SliceTable::unfinished_slices() const {
  std::int64_t sum = untouched_slices_ - slices(SliceState::Isolated);
  for (const std::int64_t slices : slices_) sum += slices;
  if (parts_ == 0) return sum;
  std::vector<Interval> open;
  for (const auto &[begin, row] : rows_)
    if (!is_settled(row.state) && begin < merge_position()) open.push_back({begin, row.end});
  const auto rows = static_cast<std::ptrdiff_t>(open.size());
  for (const auto &[begin, end] : untouched_) open.push_back({begin, end});
  std::inplace_merge(open.begin(), open.begin() + rows, open.end(),
                     [](const Interval &a, const Interval &b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < open.size(); ++i)
    if (manifest_.slice_at(open[i - 1].end - 1).index == manifest_.slice_at(open[i].begin).index) --sum;
  return sum;
}

std::int64_t SliceTable::quarantined_slices() const {
  std::int64_t sum = slices(SliceState::Quarantined);
  if (parts_ == 0) return sum;
  std::int64_t last = -1;
  for (const std::int64_t begin : quarantined_) {
    if (manifest_.slice_at(begin).index == last) --sum;
    last = manifest_.slice_at(rows_.at(begin).end - 1).index;
  }
  return sum;
}

void SliceTable::note(std::int64_t begin) {
  if (former_.contains(begin)) return;
  const auto at = rows_.find(begin);
  former_.emplace(begin, at == rows_.end() ? std::nullopt : std::optional<SliceRow>(at->second));
}

void SliceTable::insert(SliceRow row) {
  note(row.begin);
  tally(row, 1);
  if (row.begin < merge_position()) {
    if (row.state == SliceState::Ready) (is_dangerous(row.trouble) ? dangerous_ : ready_).insert(row.begin);
    if (row.state == SliceState::Quarantined) quarantined_.insert(row.begin);
    if (row.state == SliceState::Isolated) isolated_.insert(row.begin);
  }
  const std::int64_t begin = row.begin;
  rows_.insert_or_assign(begin, std::move(row));
}

SliceRow SliceTable::remove(std::map<std::int64_t, SliceRow>::iterator at) {
  note(at->first);
  SliceRow row = std::move(at->second);
  rows_.erase(at);
  tally(row, -1);
  ready_.erase(row.begin);
  dangerous_.erase(row.begin);
  quarantined_.erase(row.begin);
  isolated_.erase(row.begin);
  return row;
}

void SliceTable::add_untouched(Interval interval) {
  auto next = untouched_.upper_bound(interval.begin);
  if (next != untouched_.end() && next->first == interval.end) {
    tally_untouched({next->first, next->second}, -1);
    interval.end = next->second;
    next = untouched_.erase(next);
  }
  if (next != untouched_.begin()) {
    const auto before = std::prev(next);
    if (before->second == interval.begin) {
      tally_untouched({before->first, before->second}, -1);
      interval.begin = before->first;
      untouched_.erase(before);
    }
  }
  tally_untouched(interval, 1);
  untouched_.emplace(interval.begin, interval.end);
}

}  // namespace hostler
