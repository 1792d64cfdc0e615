// Checkpoints: segments of slices that have not ended, and what they have put aside.
#include <utility>

#include <fmt/format.h>

#include "core/job.h"

namespace hostler {

// A slice with a checkpoint is told of as it ends, whatever it leaves.
std::string Job::untold(const Held &held) const {
  return fmt::format("told of what follows {} in lease {}, and not what became of that", title(held.row), held.id);
}

Result<std::shared_ptr<const Checkpoint>> Job::segment_ended(WorkerId worker, const SegmentEnded &ended,
                                                             std::int64_t state_version) {
  const auto refuse = [&](std::string_view why) {
    return fail({}, fmt::format("told of a checkpoint at {} in lease {}, {}", ended.position, ended.lease, why));
  };
  Held *held = find_lease(worker, ended.lease);
  if (held == nullptr) return refuse("which it does not hold");
  if (held->whole.begin == table_.merge_position()) return refuse("which is the merge's");
  if (ended.begin < held->row || ended.begin >= held->whole.end) return refuse("in a slice that is not its own");
  const Interval slice = slice_from(ended.begin, *held);
  if (slice.begin != ended.begin || ended.position <= slice.begin || ended.position > slice.end)
    return refuse("outside of its slice");
  if (ended.position != slice.end && !may_cut(ended.position) && manifest().kind() != InputKind::File)
    return refuse("inside of a record");
  const SliceRow *row = table_.find(held->row);
  const std::shared_ptr<const Checkpoint> last = row->checkpoint;
  if (last && ended.begin != held->row) return fail({}, untold(*held));
  if (last && ended.position <= last->position) return refuse("which is not behind the one before");

  SliceRow in_work = table_.take(held->row);
  SliceRow before = in_work;
  before.end = slice.begin;
  finish(std::move(before));
  held->row = in_work.begin = slice.begin;
  auto checkpoint = last ? std::make_shared<Checkpoint>(*last) : std::make_shared<Checkpoint>();
  checkpoint->position = ended.position;
  checkpoint->state_version = state_version;
  for (const auto &[counter, delta] : ended.counters) checkpoint->counters[counter] += delta;
  const Skipped more = count_of(ended.skipped);
  checkpoint->skipped += more;
  skipped_ += more;
  checkpoint->attempt_dir = ended.attempt_dir;
  checkpoint->files = ended.files;
  in_work.checkpoint = checkpoint;
  table_.put(std::move(in_work));
  found_room(ended.lease);
  return checkpoint;
}

std::shared_ptr<const Checkpoint> Job::checkpoint_of(std::int64_t begin) const {
  const SliceRow *row = table_.find(begin);
  return row == nullptr ? nullptr : row->checkpoint;
}

void Job::forget_checkpoint(std::int64_t begin) {
  if (!checkpoint_of(begin)) return;
  SliceRow row = table_.take(begin);
  end_checkpoint(row, true);
  table_.put(std::move(row));
}

void Job::end_checkpoint(SliceRow &row, bool take_back) {
  if (!row.checkpoint) return;
  if (take_back) skipped_ -= row.checkpoint->skipped;
  checkpoint_ends_.push_back({row.begin, std::exchange(row.checkpoint, nullptr), take_back});
}

// What has a size of its own is counted by that; of lines, each record that was told of is one.
Skipped Job::count_of(const std::vector<Aside> &records) const {
  const InputKind kind = manifest().kind();
  const bool sized = kind == InputKind::Range || kind == InputKind::Records || kind == InputKind::Items;
  Skipped counted;
  for (const Aside &record : records) {
    const std::int64_t positions = record.end - record.begin;
    counted += {sized ? (positions + manifest().unit() - 1) / manifest().unit() : 1, positions};
  }
  return counted;
}

}  // namespace hostler
