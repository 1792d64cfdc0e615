// What a person says to a job: try again what it has given up, or give it all up. (stop and pause are Entry's.)
#include <utility>

#include "job_entry.h"

namespace hostler {

// On a copy, which may do as it likes.
Result<void> JobEntry::can_retry(const std::vector<std::int64_t> &begins) const {
  if (out_of_step_) return fail(name(), failure_, "only a new start of the host knows where it stands");
  if (is_ending()) return fail(name(), "is about to end", "try again in a moment");
  if (stored_.state == JobState::Cancelled)
    return fail(name(), "was cancelled", "--resume " + name() + " goes on with what is not done");
  Job copy(job_);
  if (auto retried = copy.retry(begins); !retried) return fail(name(), retried.error().text());
  return {};
}

Result<std::int64_t> JobEntry::retry(const std::vector<std::int64_t> &begins) {
  const bool merged = job_.merge_ended();
  auto retried = job_.retry(begins);
  if (!retried) return retried;
  StoreBatch batch;
  if (merged || stored_.state != JobState::Running) {
    for (const auto &[counter, total] : std::exchange(stored_.merge_counters, {})) stored_.counters[counter] -= total;
    stored_.state = JobState::Running;
    stored_.reason.clear();
    ending_ = false;
    batch.push_back(ReopenJob{name(), stored_.identity.output});
  }
  failure_.clear();  // whatever it was, it is tried again, too
  failure_changed();
  commit_changes(std::move(batch));
  if (wanted_) {
    resize(count());
    want_workers();
  }
  around_.changed();
  return retried;
}

void JobEntry::cancel_by_hand() {
  failure_.clear();
  waiting_.clear();
  wanted_ = true;
  job_.cancel();
  create();
  call_off();
  check_end();
  around_.changed();
}

}  // namespace hostler
