#include "core/claims.h"

#include <algorithm>

namespace hostler {

void Claims::enter(const SliceSpan &slice, std::int64_t unit, std::int64_t resume) {
  next_ = resume;
  begin_ = slice.begin;
  checkpoint_ = resume;
  end_ = slice.end;
  unit_ = unit;
  shift_ = slice.global.begin - slice.begin;
  called_ = false;
  close();
  refused_ = StopWord::GoOn;
}

bool Claims::may_checkpoint(std::int64_t position) const {
  if (position <= checkpoint_ || position > granted()) return false;
  return position == end_ || (position - begin_) % unit_ == 0;
}

// Who checkpoints without a claim, and then claims, goes on behind it.
void Claims::checkpointed(std::int64_t position) {
  checkpoint_ = position;
  next_ = std::max(next_, position);
}

bool Claims::may_skip(std::int64_t begin, std::int64_t end, std::int64_t last) const {
  if (begin < checkpoint_ || begin >= granted() || end <= begin || end > std::max(last, granted())) return false;
  return (begin - begin_) % unit_ == 0 && (end == end_ || (end - begin_) % unit_ == 0);
}

Claims::Covered Claims::covered(const SliceSpan &slice) const {
  Covered covered{slice.global, 0};
  const bool cut = lent_.whole.end < slice.global.end;
  if (cut) covered.slice.end = lent_.whole.end;
  // A whole file has one position more than the plugin sees: its end.
  const bool to_the_end = !cut && next_ == slice.end;
  covered.claimed_to = to_the_end ? slice.global.end : next_ + shift_;
  return covered;
}

// Half of what is left behind `from`, in whole slices or, where they may be cut, in units of this slice, of which one
// stays. The lease's end: there is nothing to give.
std::int64_t Claims::share_begin(std::int64_t from, Interval slice) const {
  const std::int64_t end = lent_.whole.end;
  const std::int64_t half = from + (end - from) / 2;
  if (half >= slice.end) return half >= end ? end : lent_.plan->slice_at(half, lent_.whole).global.begin;
  if (!lent_.may_split) return slice.end;
  const std::int64_t unit = lent_.plan->unit();
  const std::int64_t at = half - (half - slice.begin) % unit;
  return std::min(at > from ? at : at + unit, end);
}

}  // namespace hostler
