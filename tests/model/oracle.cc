#include "model/oracle.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/poison.h"

namespace hostler {

Oracle::Oracle(Manifest manifest, std::int32_t attempts, std::int32_t max_temporary, bool may_isolate)
    : manifest_(std::move(manifest)),
      attempts_(attempts),
      max_temporary_(max_temporary),
      may_isolate_(may_isolate && manifest_.kind() != InputKind::Lines) {
  from_zero();
}

void Oracle::from_zero() {
  places_.assign(static_cast<std::size_t>(manifest_.positions()) + 1, {});
}

void Oracle::go_on_anew() {
  for (Place &place : places_)
    if (place.fate != Fate::Done) place = {Fate::Open, 0, 0, false, place.saved};
  places_.back() = {};
}

std::string Oracle::take_back(std::int64_t begin, std::int64_t state_version) {
  std::string wrong = fmt::format("the slice at {} has no checkpoint to drop", begin);
  for (Place &place : places_) {
    if (!place.saved || place.saved->slice != begin) continue;
    const bool can_go_on = place.saved->state_version == state_version;
    wrong = can_go_on ? fmt::format("the checkpoint of the slice at {} is dropped", begin) : std::string();
    place.saved.reset();
  }
  return wrong;
}

void Oracle::retry() {
  for (Place &place : places_)
    if (place.fate == Fate::GivenUp) place = {Fate::Open, 0, 0, false, place.saved};
  places_.back() = {};
}

void Oracle::restore(std::vector<Place> places) {
  places_ = std::move(places);
  versions_.clear();
  lent_.clear();
  stopping_.clear();
  aborted_.clear();
  leaving_.clear();
  deadlines_.clear();
}

template <typename Change>
void Oracle::each(Interval slice, Change change) {
  for (std::int64_t p = slice.begin; p < slice.end; ++p) change(places_[static_cast<std::size_t>(p)]);
}

std::string Oracle::leased(WorkerId worker, const Lease &lease) {
  for (const auto &[other, leases] : lent_)
    for (const Lent &lent : leases)
      if (std::max(lent.next, lease.begin) < std::min(lent.end, lease.end))
        return fmt::format("[{}, {}) is leased while another lease has [{}, {}) of it", lease.begin, lease.end,
                           lent.next, lent.end);
  std::string wrong;
  each({lease.begin, lease.end}, [&](const Place &place) {
    if (place.fate != Fate::Open) wrong = fmt::format("[{}, {}) is leased, and has ended", lease.begin, lease.end);
    if (place.attempts + 1 != lease.attempt)
      wrong = fmt::format("[{}, {}) is leased as attempt {} after {} that were charged", lease.begin, lease.end,
                          lease.attempt, place.attempts);
  });
  if (lease.begin == merge())
    each({0, merge()}, [&](const Place &place) {
      if (place.fate == Fate::Open) wrong = "merge() is called before all slices have ended";
    });
  const std::int64_t resumed = lease.saved ? lease.saved->position : lease.begin;
  for (std::int64_t p = lease.begin; p < lease.end; ++p)
    if (places_[static_cast<std::size_t>(p)].saved !=
        (p < resumed ? std::optional(Segment{lease.begin, versions_[worker]}) : std::nullopt))
      wrong = fmt::format("[{}, {}) is leased to go on at {}, which is not where its checkpoint stood", lease.begin,
                          lease.end, resumed);
  lent_[worker].push_back({lease.id, lease.begin, lease.end});
  return wrong;
}

Oracle::Lent *Oracle::find(WorkerId worker, std::uint64_t lease) {
  for (Lent &lent : lent_[worker])
    if (lent.id == lease) return &lent;
  return nullptr;
}

std::string Oracle::heard(WorkerId worker, const WorkerMessage &message) {
  if (const auto *ended = std::get_if<SliceEnded>(&message)) return slice_ended(worker, *ended);
  if (const auto *segment = std::get_if<SegmentEnded>(&message)) return segment_ended(worker, *segment);
  if (const auto *cut = std::get_if<LeaseCut>(&message)) {
    Lent *lent = find(worker, cut->lease);
    if (lent == nullptr) return "a cut of a lease that is not out";
    lent->end = cut->cut;
  } else if (const auto *lease = std::get_if<LeaseEnded>(&message)) {
    Lent *lent = find(worker, lease->lease);
    if (lent == nullptr) return "the end of a lease that is not out";
    done(lent->next, std::max(lent->next, lease->up_to));
    std::erase_if(lent_[worker], [&](const Lent &each) { return each.id == lease->lease; });
  }
  return {};
}

std::string Oracle::slice_ended(WorkerId worker, const SliceEnded &ended) {
  Lent *lent = find(worker, ended.lease);
  if (lent == nullptr || ended.slice.begin < lent->next || ended.slice.end > lent->end)
    return "the end of a slice that is not out";
  done(lent->next, ended.slice.begin);
  lent->next = ended.slice.end;
  returned(worker, ended, std::exchange(lent->advanced, false));
  return {};
}

std::string Oracle::segment_ended(WorkerId worker, const SegmentEnded &ended) {
  Lent *lent = find(worker, ended.lease);
  if (lent == nullptr || ended.begin < lent->next || ended.position > lent->end)
    return "a checkpoint of a slice that is not out";
  done(lent->next, ended.begin);
  lent->next = ended.begin;
  lent->advanced = true;
  each({ended.begin, ended.position}, [&](Place &place) { place.saved = {ended.begin, versions_[worker]}; });
  return {};
}

// The table, of what run() returned.
void Oracle::returned(WorkerId worker, const SliceEnded &ended, bool advanced) {
  const bool stopping = stopping_.contains(worker);
  const auto deadline = deadlines_.find(worker);
  if (ended.no_room) return;
  const bool over_time = deadline != deadlines_.end() && deadline->second == ended.slice.begin;
  switch (ended.returned) {
    case 0:
      if (!ended.claimed || ended.claimed_to >= ended.slice.end) return done(ended.slice.begin, ended.slice.end);
      if (ended.refused == StopWord::GoOn || over_time) return charge(ended.slice);
      return;
    case 65: return give_up(ended.slice);
    case 75: return put_off(ended.slice);
    case 78:
      leaving_.insert(worker);
      if (ended.slice.begin == merge()) give_up(ended.slice);
      return;
    case 85:
      if (over_time) return charge(ended.slice);
      if (stopping || advanced || deadline != deadlines_.end()) return;
      return charge(ended.slice);
    default: leaving_.insert(worker); return charge(ended.slice);
  }
}

// The table, of how a process left.
void Oracle::died(WorkerId worker, const WaitStatus &status, const WorkerPart &page) {
  const auto stage = static_cast<Stage>(page.stage);
  const bool inside =
      stage == Stage::Running || stage == Stage::Returned || stage == Stage::Settling || stage == Stage::Checkpointing;
  const bool interrupted = stopping_.contains(worker) && !aborted_.contains(worker);
  if (inside && !interrupted && !leaving_.contains(worker))
    for (const Lent &lent : lent_[worker]) {
      if (page.begun < lent.next || page.begun >= lent.end) continue;
      const bool in_merge = page.begun == merge();
      if (in_merge) {
        charge({page.begun, lent.end});
        continue;
      }
      const SliceSpan slice = manifest_.slice_at(page.begun, {page.begun, lent.end});
      std::optional<Culprit> blamed;
      if (may_isolate_ && is_own_doing(status) && stage == Stage::Running && !aborted_.contains(worker))
        blamed = culprit(suspicion(page, {slice.begin, slice.end}, manifest_.unit()), manifest_, slice, std::nullopt);
      const bool behind = blamed && places_[static_cast<std::size_t>(blamed->stretch.begin)].saved.has_value();
      if (blamed && blamed->is_record && !behind) {
        strike(slice.global, blamed->stretch);
      } else {
        charge(slice.global);
      }
    }
  lent_.erase(worker);
}

void Oracle::done(std::int64_t begin, std::int64_t end) {
  each({begin, end}, [](Place &place) {
    place.fate = Fate::Done;
    place.struck = false;
    place.saved.reset();
  });
}

void Oracle::charge(Interval slice) {
  each(slice, [this](Place &place) {
    if (++place.attempts >= attempts_) place.fate = Fate::GivenUp;
  });
}

// The second time the record is given up alone, and its neighbours begin anew.
void Oracle::strike(Interval slice, Interval record) {
  bool &struck = places_[static_cast<std::size_t>(record.begin)].struck;
  if (!std::exchange(struck, !struck)) return charge(slice);
  each({slice.begin, record.begin}, [](Place &place) { place.attempts = place.temporaries = 0; });
  each({record.end, slice.end}, [](Place &place) { place.attempts = place.temporaries = 0; });
  give_up(record);
}

void Oracle::put_off(Interval slice) {
  each(slice, [this](Place &place) {
    if (place.temporaries++ < max_temporary_) return;
    --place.temporaries;
    ++place.attempts;
    place.fate = Fate::GivenUp;
  });
}

void Oracle::give_up(Interval slice) {
  each(slice, [](Place &place) {
    ++place.attempts;
    place.fate = Fate::GivenUp;
  });
}

}  // namespace hostler
