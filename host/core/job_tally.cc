#include "core/job_tally.h"

#include <algorithm>

namespace hostler {

void JobTally::Count::add(const Manifest &plan, const SliceRow &row) {
  const std::int64_t first = plan.slice_at(row.begin).index;
  const bool is_known = first == last_;  // the row is another part of it
  last_ = plan.slice_at(row.end - 1).index;
  slices_ += last_ - first + (is_known ? 0 : 1);
}

void JobTally::add(const SliceRow &row) {
  so_far_.retries += row.attempts + row.temporaries -
                     (row.state == SliceState::Quarantined || row.state == SliceState::Isolated ? 1 : 0);
  if (const auto gap = gaps_.before(row.begin)) not_done_.add(plan_, *gap);
  gaps_.pass(row);
  if (row.begin >= plan_.positions()) return;
  if (row.state == SliceState::Done) {
    so_far_.positions_done += row.end - row.begin;
    return;
  }
  if (row.state == SliceState::Isolated) {
    ++so_far_.isolated;
    so_far_.positions_isolated += row.end - row.begin;
    return;
  }
  const std::int64_t slices = plan_.slice_at(row.end - 1).index - plan_.slice_at(row.begin).index + 1;
  not_done_.add(plan_, row);
  switch (row.state) {
    case SliceState::Leased:
    case SliceState::Committing: so_far_.leased += slices; break;
    case SliceState::Backoff: so_far_.backoff += slices; break;
    case SliceState::Quarantined: quarantined_.add(plan_, row); break;
    case SliceState::Ready:
    case SliceState::Done:
    case SliceState::Isolated: break;
  }
  if (row.checkpoint && row.state != SliceState::Quarantined)
    so_far_.positions_done += row.checkpoint->position - row.begin;
}

JobProgress JobTally::progress() const {
  JobProgress progress = so_far_;
  progress.slices = plan_.slice_count();
  progress.positions = plan_.positions();
  progress.quarantined = quarantined_.slices();
  Count not_done = not_done_;
  if (const auto rest = gaps_.before(plan_.positions())) not_done.add(plan_, *rest);
  progress.done = progress.slices - not_done.slices();
  return progress;
}

}  // namespace hostler
