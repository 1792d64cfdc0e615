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
constexpr std::int64_t kMostPieces = 256;  // of a slice
// From one look at everybody's page to the next: each of thousands that are through might ask for one.
constexpr Duration kBetweenLooks = std::chrono::milliseconds(10);

}  // namespace

bool JobEntry::may_split() const {
  return config().split && build().is_splittable();
}

// Positions of the lease that could be given away; 0 when it is not worth it.
std::int64_t JobEntry::left_of(WorkerId worker, const Lease &lease) const {
  const Manifest &plan = job_.manifest();
  const WorkerPart page = around_.system.page(worker);
  std::int64_t next = lease.begin;
  Interval slice{lease.begin, lease.begin};
  if (page.begun >= lease.begin && page.begun < lease.end) {
    const SliceSpan span = plan.slice_at(page.begun, {lease.begin, lease.end});
    slice = span.global;
    next = slice.begin + std::clamp(page.claimed_to, span.begin, span.end) - span.begin;
  }
  if (!may_split() || plan.kind() == InputKind::File) return lease.end - slice.end;
  const std::int64_t left = lease.end - next;
  return left < std::max(2 * plan.unit(), plan.slice_size() / kMostPieces) ? 0 : left;
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
    found.push_back({*slot->worker, &held.front(), 0});
  }
  return found;
}

void JobEntry::ask_for_shares() {
  share_.cancel();
  helpers_ = 0;
  const TimePoint now = around_.system.now();
  if (!wanted_ || !failure_.empty() || job_.state() != JobState::Running || job_.has_due(now)) return;
  if (now < shares_looked_ + kBetweenLooks)
    return share_.set(shares_looked_ + kBetweenLooks, [this] { ask_for_shares(); });
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
    } else if (each.left = left_of(each.worker, each.held->lease); each.left > 0) {
      able.push_back(each);
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
