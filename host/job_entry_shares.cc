// Near the end of a job: workers with nothing to do take a part of what others have been at for long.
//
// A lease is a straggler's when it has been worked on for kStraggles while somebody is free. Its worker is asked for half
// of what it has not begun, in whole slices or, where the plugin says that they may be cut, of the slice it is in. It
// answers at its next claim, or between two slices; what it gives away is handed out as if it had come back.
#include <algorithm>

#include "job_entry.h"

namespace hostler {
namespace {

// Shorter than this nothing is worth a process, and pieces would become ever smaller.
constexpr Duration kStraggles = std::chrono::milliseconds(50);
constexpr double kMostTimes = 1e9;  // of it: no time that a clock cannot count
// From one look at everybody's page to the next: each of thousands that are through might ask for one.
constexpr Duration kBetweenRounds = std::chrono::milliseconds(10);

}  // namespace

bool JobEntry::may_split() const {
  return config().split && build().is_splittable();
}

// What of the lease could be given away, and when that is worth it: what takes no longer than kStraggles, at the pace of the
// lease so far, is through before somebody else has begun it. However small a slice or slow a record, so pieces stay few.
void JobEntry::look_at(Straggler &straggler) const {
  const Manifest &plan = job_.manifest();
  const Lease &lease = straggler.held->lease;
  const WorkerPart page = around_.system.page(straggler.worker);
  const std::int64_t start = lease.saved ? lease.saved->position : lease.begin;
  Interval slice{lease.begin, lease.begin};
  Interval in_work{start, start};
  if (page.begun >= lease.begin && page.begun < lease.end) {
    const SliceSpan span = plan.slice_at(page.begun, {lease.begin, lease.end});
    const auto global = [&](std::int64_t local) {
      return span.global.begin + std::clamp(local, span.begin, span.end) - span.begin;
    };
    slice = span.global;
    in_work = {global(page.claimed_from), global(page.claimed_to)};
  }
  const bool cuts_slices = may_split() && plan.kind() != InputKind::File;
  straggler.left = lease.end - (cuts_slices ? in_work.end : slice.end);
  if (cuts_slices && straggler.left < 2 * plan.unit()) straggler.left = 0;
  if (straggler.left <= 0) return;
  const std::int64_t done = std::max<std::int64_t>(in_work.begin - start, 0);
  const double done_to_left = static_cast<double>(done) / static_cast<double>(straggler.left);
  straggler.worth_it =
      straggler.held->began + std::chrono::duration_cast<Duration>(std::min(done_to_left, kMostTimes) * kStraggles);
}

// Those that are there and those that could be started.
std::int64_t JobEntry::hands_free() const {
  return std::count_if(slots_.begin(), slots_.begin() + std::min<std::ptrdiff_t>(count(), std::ssize(slots_)),
                       [this](const auto &slot) {
                         if (slot->state == WorkerState::Stopped || slot->state == WorkerState::Finished) return true;
                         if (slot->state != WorkerState::Running || slot->leaving) return false;
                         const auto held = held_leases_.find(*slot->worker);
                         return held == held_leases_.end() || held->second.empty();
                       });
}

std::vector<JobEntry::Straggler> JobEntry::stragglers() {
  std::vector<Straggler> found;
  for (auto &slot : slots_) {
    if (slot->state != WorkerState::Running || slot->leaving || slot->told_deadline) continue;
    auto &held = held_leases_[*slot->worker];
    if (held.empty() || !held.front().sent || held.front().lease.begin == job_.manifest().positions()) continue;
    found.push_back({*slot->worker, &held.front()});
  }
  return found;
}

void JobEntry::ask_for_shares() {
  share_.cancel();
  helpers_ = 0;
  const TimePoint now = around_.system.now();
  if (!wanted_ || !failure_.empty() || job_.state() != JobState::Running || job_.has_due(now)) return;
  if (job_.waits_for_room()) return;
  if (now < shares_looked_ + kBetweenRounds)
    return share_.set(shares_looked_ + kBetweenRounds, [this] { ask_for_shares(); });
  shares_looked_ = now;
  const std::int64_t free = hands_free();
  if (free == 0) return;
  std::vector<Straggler> able;
  std::optional<TimePoint> next;
  for (Straggler &each : stragglers()) {
    const TimePoint asked = each.held->asked;
    if (asked != TimePoint{}) {
      if (asked + kStraggles > now) ++helpers_;  // its answer is on the way; nobody waits for one that is silent
    } else if (each.held->since + kStraggles > now) {
      next = std::min(next.value_or(TimePoint::max()), each.held->since + kStraggles);
    } else if (look_at(each); each.left > 0) {
      if (each.worth_it <= now)
        able.push_back(each);
      else
        next = std::min(next.value_or(TimePoint::max()), each.worth_it);  // if it is no faster by then
    }
  }
  std::sort(able.begin(), able.end(), [](const Straggler &a, const Straggler &b) { return a.left > b.left; });
  for (const Straggler &each : able) {
    if (helpers_ >= free) {
      next = std::min(next.value_or(TimePoint::max()), now + kStraggles);  // some of those may be silent
      break;
    }
    each.held->asked = now;
    around_.system.ask_for_share(each.worker);
    ++helpers_;
  }
  if (next) share_.set(*next, [this] { ask_for_shares(); });
  raise_workers();
}

// It has kept what is before the cut. The rest is handed out once the ledger knows.
void JobEntry::lease_cut(Slot &slot, const LeaseCut &given) {
  if (auto ok = job_.cut(*slot.worker, given); !ok) return protocol_error(slot, ok.error().text());
  auto &held = held_leases_[*slot.worker];
  for (Held &each : held)
    if (each.lease.id == given.lease) {
      each.lease.end = given.cut;
      each.asked = {};
      each.since = around_.system.now();
    }
  commit_changes();
  want_workers();
}

}  // namespace hostler
