// What workers tell, how they leave, and what that makes of their slices.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/host_deaths.h"
#include "core/human_text.h"
#include "core/job.h"
#include "core/restart_policy.h"
#include "core/units.h"

namespace hostler {
namespace {

// Words of a plugin are at most 1 KiB; with ours around them.
constexpr std::size_t kMaxReason = 2048;

// For words: nobody wants to read the nanoseconds of a jitter.
std::string rounded(Duration delay) {
  return format_duration(std::chrono::round<std::chrono::milliseconds>(delay));
}

// The slice has ended by itself, in a host that lives.
bool came_back(Verdict verdict) {
  return verdict == Verdict::Yield || verdict == Verdict::RetryLater || verdict == Verdict::Failure;
}

}  // namespace

std::string Job::title(std::int64_t begin) const {
  return begin == table_.merge_position() ? "merge" : "slice " + place(begin);
}

Job::Held *Job::find_lease(WorkerId worker, std::uint64_t id) {
  const auto holder = holders_.find(worker);
  if (holder == holders_.end()) return nullptr;
  for (Held &held : holder->second.leases)
    if (held.id == id) return &held;
  return nullptr;
}

Interval Job::slice_from(std::int64_t begin, const Held &held) const {
  return begin == table_.merge_position() ? held.whole : manifest().slice_at(begin, held.whole).global;
}

// Cuts the slice out of the lease's row; what follows it stays leased.
SliceRow Job::take_slice(Held &held, Interval slice, bool before_is_done) {
  SliceRow row = table_.take(held.row);
  SliceRow before = row;
  before.end = slice.begin;
  if (slice.begin != row.begin) row.checkpoint.reset();
  if (before_is_done) {
    finish(std::move(before));
  } else {
    table_.give_back(std::move(before));
  }
  SliceRow after = row;
  after.begin = slice.end;
  after.checkpoint.reset();
  table_.put(std::move(after));
  held.row = slice.end;
  row.begin = slice.begin;
  row.end = slice.end;
  return row;
}

void Job::drop_accounted(WorkerId worker) {
  Holder &holder = holders_[worker];
  const auto done = std::find_if(holder.leases.begin(), holder.leases.end(),
                                 [](const Held &held) { return held.row >= held.whole.end; });
  if (done == holder.leases.end()) return;
  holder.last = *done;
  holder.leases.erase(done);
}

Result<SliceOutcome> Job::ended(WorkerId worker, const SliceEnded &ended, const Judgement &judgement, TimePoint now,
                                double random) {
  Held *held = find_lease(worker, ended.lease);
  if (held == nullptr) return fail({}, fmt::format("told of lease {}, which it does not hold", ended.lease));
  const std::int64_t begin = ended.slice.begin;
  if (begin < held->row || begin >= held->whole.end || slice_from(begin, *held) != ended.slice)
    return fail({}, fmt::format("told of [{}, {}), which is no slice that lease {} still holds", begin, ended.slice.end,
                                ended.lease));
  if (begin != held->row && table_.find(held->row)->checkpoint) return fail({}, untold(*held));
  const std::uint64_t lease = held->id;
  SliceRow row = take_slice(*held, ended.slice, true);
  drop_accounted(worker);
  if (judgement.verdict == Verdict::Done) skipped_ += count_of(ended.skipped);
  // That may have been for want of room, too, though there is some again by the time that its worker looks.
  const bool may_be_room =
      no_room_ && (judgement.verdict == Verdict::RetryLater || judgement.verdict == Verdict::Failure);
  if (judgement.verdict == Verdict::NoRoom)
    wait_for_room(now);
  else if (judgement.verdict != Verdict::Yield)
    found_room(lease);
  SliceOutcome outcome = may_be_room ? not_charged(std::move(row), judgement.reason)
                                     : decide(std::move(row), judgement, !ended.files.empty(), now, random);
  settle();
  return outcome;
}

Result<void> Job::cut(WorkerId worker, const LeaseCut &given) {
  Held *held = find_lease(worker, given.lease);
  if (held == nullptr) return fail({}, fmt::format("cut lease {}, which it does not hold", given.lease));
  const bool inside = given.cut >= held->row && given.cut < held->whole.end;
  if (!inside || held->whole.begin == table_.merge_position() || !may_cut(given.cut))
    return fail({}, fmt::format("cut lease {} at {}, where it cannot be cut", given.lease, given.cut));
  if (const auto &saved = table_.find(held->row)->checkpoint; saved && given.cut < saved->position)
    return fail({}, fmt::format("cut lease {} at {}, before its checkpoint", given.lease, given.cut));
  SliceRow kept = table_.take(held->row);
  SliceRow rest = kept;
  rest.begin = given.cut;
  if (given.cut > kept.begin) rest.checkpoint.reset();
  kept.end = given.cut;
  rest.trouble = rest.trouble.within({rest.begin, rest.end});
  held->whole.end = given.cut;
  table_.put(std::move(kept));
  table_.give_back(std::move(rest));
  drop_accounted(worker);
  return {};
}

bool Job::may_cut(std::int64_t position) const {
  const std::int64_t begin = manifest().slice_at(position).global.begin;
  if (position == begin) return true;
  return manifest().kind() != InputKind::File && (position - begin) % manifest().unit() == 0;
}

Result<void> Job::lease_ended(WorkerId worker, const LeaseEnded &ended) {
  Held *held = find_lease(worker, ended.lease);
  if (held == nullptr) {
    const auto holder = holders_.find(worker);
    const bool known = holder != holders_.end() && holder->second.last && holder->second.last->id == ended.lease;
    if (known && ended.up_to <= holder->second.last->whole.end) return {};
    return fail({}, fmt::format("ended lease {}, which it does not hold", ended.lease));
  }
  const bool in_lease = ended.up_to >= held->whole.begin && ended.up_to <= held->whole.end;
  const bool at_slice =
      in_lease && (ended.up_to == held->whole.end || slice_from(ended.up_to, *held).begin == ended.up_to);
  if (!at_slice) return fail({}, fmt::format("ended lease {} at {}, where no slice begins", ended.lease, ended.up_to));
  const std::int64_t end = held->whole.end;
  const std::int64_t up_to = std::max(ended.up_to, held->row);
  if (up_to > held->row) {
    if (table_.find(held->row)->checkpoint) return fail({}, untold(*held));
    finish(take_slice(*held, {held->row, up_to}, true));
    found_room(ended.lease);
  }
  if (up_to < end) {
    table_.give_back(table_.take(up_to));
    held->row = end;
  }
  drop_accounted(worker);
  settle();
  return {};
}

void Job::committed(Interval slice) {
  const SliceRow *row = table_.find(slice.begin);
  if (row == nullptr || row->end != slice.end || row->state != SliceState::Committing) return;
  finish(table_.take(slice.begin));
  settle();
}

SliceOutcome Job::lost(WorkerId worker, std::optional<std::int64_t> begun, const Judgement &judgement, TimePoint now,
                       double random, const std::optional<Culprit> &culprit) {
  SliceOutcome outcome;
  const auto holder = holders_.find(worker);
  if (holder == holders_.end()) return outcome;
  const std::vector<Held> leases = std::move(holder->second.leases);
  holders_.erase(holder);
  for (Held held : leases) {
    std::optional<SliceRow> charged;
    if (begun && *begun >= held.row && *begun < held.whole.end && slice_from(*begun, held).begin == *begun)
      charged = take_slice(held, slice_from(*begun, held), false);
    if (held.row < held.whole.end) table_.give_back(table_.take(held.row));
    if (!charged) continue;
    Judgement fate = judgement;
    // Not kept, but no fault of the slice either: as if it had asked for another time, which has a bound. A rule of
    // `on_exit:` that calls it done is another matter: what it left is given up, as the rule says.
    if (fate.verdict == Verdict::Done && fate.rule < 0)
      fate = {Verdict::RetryLater, "done, but its worker was gone before it could tell"};
    if (fate.verdict == Verdict::Done) end_checkpoint(*charged, true);  // its outputs are given up, so its counts are
    const bool crash = fate.verdict == Verdict::Crash || fate.verdict == Verdict::OutOfMemory;
    outcome = crash && culprit ? crashed(std::move(*charged), fate.reason.substr(0, kMaxReason), *culprit, now, random)
                               : decide(std::move(*charged), fate, false, now, random);
  }
  settle();
  return outcome;
}

void Job::explain(std::int64_t begin, const std::string &was, const std::string &better) {
  const std::string cut = was.substr(0, kMaxReason);
  const std::string known = better.substr(0, kMaxReason);
  const SliceRow *row = table_.find(begin);
  // Another attempt at it may have ended in the same place, and have been explained first.
  if (row == nullptr || !row->reason.starts_with(cut) || row->reason.starts_with(known)) return;
  SliceRow explained = table_.take(begin);
  explained.reason.replace(0, cut.size(), known);
  table_.put(std::move(explained));
  if (const std::size_t at = state_reason_.find(cut);
      at != std::string::npos && !state_reason_.substr(at).starts_with(known))
    state_reason_.replace(at, cut.size(), known);
}

void Job::finish(SliceRow row) {
  if (row.begin >= row.end) return;
  row.state = SliceState::Done;
  row.trouble = {};
  end_checkpoint(row, false);
  if (row.plain()) row.reason.clear();
  table_.put(std::move(row));
}

SliceOutcome Job::decide(SliceRow row, const Judgement &judgement, bool has_files, TimePoint now, double random) {
  const std::string reason = judgement.reason.substr(0, kMaxReason);
  if (came_back(judgement.verdict)) acquit(row.trouble);
  switch (judgement.verdict) {
    case Verdict::Done:
      row.trouble = {};
      if (has_files) {
        row.state = SliceState::Committing;
        end_checkpoint(row, false);
        table_.put(std::move(row));
        return {SliceState::Committing, {}};
      }
      finish(std::move(row));
      return {SliceState::Done, {}};
    case Verdict::BadData: ++row.attempts; return quarantine(std::move(row), reason, "quarantined");
    case Verdict::Failure:
    case Verdict::Crash:
    case Verdict::OutOfMemory:
    case Verdict::Timeout: return charge(std::move(row), reason, now, random);
    case Verdict::RetryLater: return put_off(std::move(row), reason, now, random);
    case Verdict::BadConfig:
      if (row.begin != table_.merge_position()) break;
      // All else has ended, so the job ends here, with what its slices left.
      ++row.attempts;
      return quarantine(std::move(row), reason, "the job has failed");
    case Verdict::NoRoom:
    case Verdict::Yield:
    case Verdict::Interrupted:
    case Verdict::LoadFailure:
    case Verdict::LoadLater:
    case Verdict::InputChanged: break;
  }
  return not_charged(std::move(row), reason);
}

SliceOutcome Job::not_charged(SliceRow row, const std::string &reason) {
  SliceOutcome outcome{SliceState::Ready,
                       fmt::format("{}: {}; not charged to the slice", title(row.begin), reason.substr(0, kMaxReason))};
  table_.give_back(std::move(row));
  return outcome;
}

SliceOutcome Job::charge(SliceRow row, const std::string &reason, TimePoint now, double random) {
  ++row.attempts;
  const std::string count = fmt::format("attempt {} of {}", row.attempts, settings_.attempts);
  if (row.attempts >= settings_.attempts) return quarantine(std::move(row), reason, count + ", quarantined");
  const Duration delay = backoff_delay(settings_.backoff, row.attempts, random);
  SliceOutcome outcome{SliceState::Backoff,
                       fmt::format("{}: {}; {}, again in {}", title(row.begin), reason, count, rounded(delay))};
  row.reason = reason;
  back_off(std::move(row), now + delay);
  return outcome;
}

SliceOutcome Job::put_off(SliceRow row, const std::string &reason, TimePoint now, double random) {
  if (row.temporaries >= settings_.max_temporary) {
    ++row.attempts;
    const std::string bound = fmt::format("put off {}, no more than max_temporary", counted(row.temporaries, "time"));
    return quarantine(std::move(row), reason + "; " + bound, "quarantined");
  }
  ++row.temporaries;
  const Duration delay = backoff_delay(settings_.backoff, row.temporaries, random);
  SliceOutcome outcome{SliceState::Backoff,
                       fmt::format("{}: {}; again in {}, put off {} of at most {} times", title(row.begin), reason,
                                   rounded(delay), row.temporaries, settings_.max_temporary)};
  row.reason = reason;
  back_off(std::move(row), now + delay);
  return outcome;
}

SliceOutcome Job::quarantine(SliceRow row, const std::string &reason, const std::string &why) {
  SliceOutcome outcome{SliceState::Quarantined, fmt::format("{}: {}; {}", title(row.begin), reason, why)};
  row.state = SliceState::Quarantined;
  row.reason = reason;
  table_.put(std::move(row));
  return outcome;
}

void Job::back_off(SliceRow row, TimePoint due) {
  if (is_dangerous(row.trouble)) return table_.give_back(std::move(row));  // it waits for all others anyway
  if (row.begin == table_.merge_position()) {
    merge_due_ = due;
  } else {
    waiting_.emplace(due, row.begin);
  }
  row.state = SliceState::Backoff;
  table_.put(std::move(row));
}

}  // namespace hostler
