// What a person says to a job: try again what was given up, or give it all up.
#include <utility>

#include <fmt/format.h>

#include "core/job.h"

namespace hostler {

bool Job::merge_ended() const {
  const SliceRow *merge = table_.find(table_.merge_position());
  return merge != nullptr && (merge->state == SliceState::Done || merge->state == SliceState::Quarantined);
}

Result<std::int64_t> Job::retry(const std::vector<std::int64_t> &begins) {
  const std::int64_t merge_at = table_.merge_position();
  const auto state_of = [this](std::int64_t begin) {
    const SliceRow *row = table_.find(begin);
    return row == nullptr ? SliceState::Ready : row->state;
  };
  const SliceState merge = state_of(merge_at);
  if (merge == SliceState::Leased || merge == SliceState::Committing)
    return fail({}, "merge() is at work", "try again when it has ended");

  std::vector<std::int64_t> again = begins;
  if (again.empty()) {
    again.assign(table_.quarantined().begin(), table_.quarantined().end());
    again.insert(again.end(), table_.isolated().begin(), table_.isolated().end());
    if (merge == SliceState::Quarantined) again.push_back(merge_at);
  }
  if (again.empty()) return fail({}, "nothing of it is quarantined");
  const auto is_given_up = [&](std::int64_t begin) {
    return state_of(begin) == SliceState::Quarantined || state_of(begin) == SliceState::Isolated;
  };
  for (const std::int64_t begin : again)
    if (!is_given_up(begin))
      return fail({}, title(begin) + " is not quarantined", "hostler failed shows those that are");

  std::int64_t count = 0;
  const auto forget = [this](std::int64_t begin) {
    SliceRow row = table_.take(begin);
    row.attempts = row.temporaries = 0;
    row.reason.clear();
    row.trouble = {};
    table_.give_back(std::move(row));
  };
  for (const std::int64_t begin : again) {
    if (!is_given_up(begin)) continue;  // named twice
    forget(begin);
    ++count;
  }
  if (table_.find(merge_at) != nullptr) forget(merge_at);
  bisected_.clear();
  state_ = JobState::Running;
  state_reason_.clear();
  settle();
  return count;
}

void Job::cancel() {
  if (state_ == JobState::Running) settle_as(JobState::Cancelled, "by an operator");
}

}  // namespace hostler
