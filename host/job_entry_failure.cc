// A job that fail_entry() has stopped is no ended job: a start goes on with it. The ledger has its reason nevertheless, for
// who asks without a host; a verdict that is on its way takes its place.
#include "job_entry.h"

namespace hostler {

void JobEntry::failure_changed() {
  const bool in_ledger = !create_ && !out_of_step_ && !ending_;
  if (!in_ledger || stored_.state != JobState::Running || stored_.reason == failure_) return;
  stored_.reason = failure_;
  commit({SetJobState{name(), JobState::Running, failure_, 0}}, [this] { check_end(); });
}

}  // namespace hostler
