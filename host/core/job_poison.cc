// What kills workers is put aside, so that the rest of its slice can be done: core/poison.h says what that is.
//
// The second crash at one record makes three of a slice: what is before, the record (isolated), what is after; both begin
// anew, uncharged. The second one of which only a stretch is known makes two halves of the stretch. A half that crashes is
// halved again at once, until it holds one record, or the slice has cost max_bisect attempts.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/job.h"

namespace hostler {
namespace {

// A job that has more isolated than it may have has failed, but for the words that name them. So many it goes on to name.
constexpr std::int64_t kMostBeyond = 100;

bool overlap(Interval a, Interval b) {
  return a.begin < b.end && b.begin < a.end;
}

}  // namespace

SliceOutcome Job::crashed(SliceRow row, const std::string &reason, const Culprit &culprit, TimePoint now,
                          double random) {
  Interval at = culprit.stretch;
  // What is behind a checkpoint is done.
  const std::int64_t done = row.checkpoint ? row.checkpoint->position : row.begin;
  if (!culprit.is_record) at.begin = std::max(at.begin, done);
  const bool in_row = at.begin >= done && at.begin < at.end && at.end <= row.end;
  if (!in_row) return charge(std::move(row), reason, now, random);
  const std::vector<Interval> &before = row.trouble.crashes;
  const bool is_half = row.trouble.bisected > 0;
  if (culprit.is_record) {
    const bool again = std::find(before.begin(), before.end(), at) != before.end();
    if ((again || (is_half && !culprit.is_marked)) && may_isolate(at)) return isolate(std::move(row), reason, culprit);
  } else if (settings_.max_bisect > 0) {
    const bool again = std::any_of(before.begin(), before.end(), [&](Interval each) { return overlap(each, at); });
    if (again || is_half) return bisect(std::move(row), reason, at);
  }
  std::vector<Interval> &crashes = row.trouble.crashes;
  if (crashes.size() >= Trouble::kMost) crashes.erase(crashes.begin());
  crashes.push_back(at);
  return charge(std::move(row), reason, now, random);
}

bool Job::may_isolate(Interval record) const {
  if (table_.slices(SliceState::Isolated) < kMostBeyond) return true;
  Skipped all = aside();
  all += {1, record.end - record.begin};
  return may_skip(all);
}

// As if it had never been handed out, but for what is remembered of it.
void Job::put_part(const SliceRow &whole, Interval part, std::int32_t bisected) {
  SliceRow row = whole;
  row.begin = part.begin;
  row.end = part.end;
  row.attempts = row.temporaries = 0;
  row.reason.clear();
  if (part.begin != whole.begin) row.checkpoint.reset();  // it belongs to the slice that begins there
  row.trouble = whole.trouble.within(part);
  row.trouble.bisected = bisected;
  table_.give_back(std::move(row));
}

SliceOutcome Job::isolate(SliceRow row, const std::string &reason, const Culprit &culprit) {
  const Interval at = culprit.stretch;
  SliceOutcome outcome{SliceState::Isolated,
                       fmt::format("{}: {}; isolated, the rest is tried again", title(row.begin), reason), at.begin};
  put_part(row, {row.begin, at.begin}, 0);
  put_part(row, {at.end, row.end}, 0);
  row.begin = at.begin;
  row.end = at.end;
  row.checkpoint.reset();
  ++row.attempts;
  row.state = SliceState::Isolated;
  row.reason = reason;
  row.trouble = row.trouble.within({});
  table_.put(std::move(row));
  return outcome;
}

SliceOutcome Job::bisect(SliceRow row, const std::string &reason, Interval at) {
  const std::int64_t unit = manifest().unit();
  const std::int64_t middle = at.begin + (at.end - at.begin) / unit / 2 * unit;
  std::int32_t &spent = bisected_[manifest().slice_at(row.begin).index];
  if (middle <= at.begin || spent + 2 > settings_.max_bisect) {
    ++row.attempts;
    return quarantine(std::move(row), reason,
                      fmt::format("bisecting has cost {} of max_bisect {}, quarantined", counted(spent, "attempt"),
                                  settings_.max_bisect));
  }
  spent += 2;  // one attempt each
  SliceOutcome outcome{SliceState::Ready, fmt::format("{}: {}; its halves are tried by themselves, {} of {} attempts",
                                                      title(row.begin), reason, spent, settings_.max_bisect)};
  put_part(row, {row.begin, at.begin}, 0);
  put_part(row, {at.begin, middle}, spent);
  put_part(row, {middle, at.end}, spent);
  put_part(row, {at.end, row.end}, 0);
  return outcome;
}

// What bisecting has cost so far, as far as rows remember it.
void Job::recall_bisecting() {
  for (const SliceRow &row : table_.rows()) {
    if (row.trouble.bisected == 0) continue;
    std::int32_t &spent = bisected_[manifest().slice_at(row.begin).index];
    spent = std::max(spent, row.trouble.bisected);
  }
}

}  // namespace hostler
