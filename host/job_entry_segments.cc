// Checkpoints: what a segment leaves becomes durable before its worker goes on, and the next attempt begins there.
#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "job_entry.h"

namespace hostler {

// The worker waits for the answer, for as long as a full disk lasts.
void JobEntry::segment_ended(Slot &slot, const SegmentEnded &ended) {
  const WorkerId worker = *slot.worker;
  if (!counter_fault(ended.counters).empty()) return answer(worker, ended, EOVERFLOW);
  const auto &leases = held_leases_[worker];
  const auto held = std::ranges::find_if(leases, [&](const Held &each) { return each.lease.id == ended.lease; });
  if (held != leases.end() && ended.begin >= held->lease.begin && ended.begin < held->lease.end)
    if (std::string fault = fault_of_files(*held, ended); !fault.empty()) return protocol_error(slot, fault);
  auto checkpoint = job_.segment_ended(worker, ended, slot.build->state_version);
  if (!checkpoint) return protocol_error(slot, checkpoint.error().text());
  const SliceSpan slice = job_.manifest().slice_from(ended.begin);
  StoreBatch batch = take_changes();
  if (!ended.counters.empty()) batch.push_back(AddCounters{name(), ended.counters, false});
  if (!ended.skipped.empty()) batch.push_back(PutAside{name(), slice.input, slice.begin, ended.skipped});
  batch.push_back(PutCheckpoint{name(), slice.input, slice.begin, ended.begin, *checkpoint, ended.data});
  add(ended.counters);
  SegmentEnded segment;
  segment.lease = ended.lease;
  segment.position = ended.position;
  commit(
      std::move(batch), [this, worker, segment] { answer(worker, segment, 0); },
      [this, worker, segment] { answer(worker, segment, EIO); });
  tell_of_room({});
}

void JobEntry::answer(WorkerId worker, const SegmentEnded &ended, std::int32_t error) {
  if (slot_of(worker) != nullptr) around_.system.checkpointed(worker, {ended.lease, ended.position, error});
}

// The lease is durable, and its slice goes on at a checkpoint: what that saved is in the ledger.
void JobEntry::send_saved(WorkerId worker, std::uint64_t lease) {
  const auto &leases = held_leases_[worker];
  const auto held = std::ranges::find_if(leases, [&](const Held &each) { return each.lease.id == lease; });
  if (held == leases.end()) return;
  const SliceSpan slice = job_.manifest().slice_from(held->lease.begin);
  ++commits_;
  around_.store.read_checkpoint(name(), slice.input, slice.begin, [this, worker, lease](Result<std::string> data) {
    --commits_;
    around_.changed();
    if (!data) return fail_entry("what a checkpoint saved could not be read: " + data.error().text());
    if (slot_of(worker) == nullptr) return;
    for (Held &each : held_leases_[worker])
      if (each.lease.id == lease) each.lease.saved->data = std::move(*data);
    send(worker, lease);
  });
}

std::string JobEntry::attempt_dir_of(const Held &held, std::int64_t begin) const {
  const bool merge = begin == job_.manifest().positions();
  const SliceSpan slice = merge ? SliceSpan{} : job_.manifest().slice_from(begin);
  return stored_.identity.output + "/.attempts/" + attempt_folder(slice.input, slice.begin, merge, held.lease.id);
}

// In its own folder, and nothing of what is committed is missing.
std::string JobEntry::fault_of_files(const Held &held, const SegmentEnded &ended) const {
  const auto last = job_.checkpoint_of(ended.begin);
  const bool same_dir = last && !last->attempt_dir.empty();
  const std::string dir = same_dir ? last->attempt_dir : attempt_dir_of(held, ended.begin);
  if (!ended.attempt_dir.empty() && ended.attempt_dir != dir)
    return "told of files in " + ended.attempt_dir + ", which is not its folder";
  if (!last) return {};
  for (const OutputLength &file : last->files) {
    const auto now = std::ranges::find(ended.files, file.name, &OutputLength::name);
    if (now == ended.files.end() || now->size < file.size)
      return "told of a checkpoint without all of the output " + file.name + ", which is committed";
  }
  return {};
}

// In its own folder; and what its segments have written is part of the slice.
std::string JobEntry::fault_of_files(const Held &held, const SliceEnded &ended, bool done) const {
  const auto checkpoint = job_.checkpoint_of(ended.slice.begin);
  const std::string &dir = ended.attempt_dir;
  const bool goes_on = checkpoint && checkpoint->attempt_dir == dir;
  if (!dir.empty() && !goes_on && dir != attempt_dir_of(held, ended.slice.begin))
    return "told of files in " + dir + ", which is not its folder";
  if (!done || !checkpoint) return {};
  for (const OutputLength &file : checkpoint->files)
    if (!goes_on || std::ranges::find(ended.files, file.name) == ended.files.end())
      return "told of the end of a slice without the output " + file.name + ", which is committed";
  return {};
}

bool JobEntry::has_advanced(const Slot &slot, std::uint64_t lease, std::int64_t begin) const {
  const auto checkpoint = job_.checkpoint_of(begin);
  const auto leases = held_leases_.find(*slot.worker);
  if (!checkpoint || leases == held_leases_.end()) return false;
  const auto held = std::ranges::find_if(leases->second, [&](const Held &each) { return each.lease.id == lease; });
  if (held == leases->second.end()) return false;
  return !held->lease.saved || checkpoint->position > held->lease.saved->position;
}

}  // namespace hostler
