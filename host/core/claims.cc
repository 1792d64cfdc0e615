#include "core/claims.h"

#include <algorithm>

namespace hostler {

void Claims::enter(const SliceSpan &slice, std::int64_t unit) {
  next_ = slice.begin;
  begin_ = slice.begin;
  end_ = slice.end;
  unit_ = unit;
  shift_ = slice.global.begin - slice.begin;
  called_ = false;
  refused_ = StopWord::GoOn;
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
