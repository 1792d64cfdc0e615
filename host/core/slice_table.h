// The rows of a job: which intervals of positions are in which state, as the ledger keeps them.
//
// Untouched slices have no row: what no row covers has never been handed out, or came back with nothing to remember.
// Neighbouring Done rows with nothing to remember are one row. Position positions() is the merge, a slice of its own.
// Every change is noted and fetched as deltas. Pure; one thread. Each step costs O(log rows + log inputs).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/segment.h"
#include "core/slicing.h"
#include "core/trouble.h"

namespace hostler {

// Isolated: one record that has killed its workers, taken out of its slice; what is left of that goes on without it.
enum class SliceState : std::int32_t {
  Ready = 0,
  Leased = 1,
  Committing = 2,
  Done = 3,
  Backoff = 4,
  Quarantined = 5,
  Isolated = 6
};
[[nodiscard]] std::string_view name(SliceState state);  // round-trip by from_name
[[nodiscard]] std::optional<SliceState> slice_state_from_name(std::string_view text);

struct SliceRow {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  SliceState state = SliceState::Ready;
  std::int32_t attempts = 0;     // charged so far
  std::int32_t temporaries = 0;  // RETRY_LATER so far
  std::string reason;            // of the last failure
  // Where the next attempt at the slice that begins here goes on; null: at its begin. None once the slice is done.
  std::shared_ptr<const Checkpoint> checkpoint{};
  Trouble trouble{};  // what it remembers of crashes
  // Nothing that a later attempt or a reader would miss.
  [[nodiscard]] bool plain() const { return attempts == 0 && temporaries == 0 && !checkpoint && !trouble.any(); }
  bool operator==(const SliceRow &) const = default;
};

// One step of the row table: the row that begins at `erase` is gone, or `put` stands (replacing one of the same begin).
struct RowDelta {
  std::optional<std::int64_t> erase;
  std::optional<SliceRow> put;
  bool operator==(const RowDelta &) const = default;
};

class SliceTable {
 public:
  // `rows`: those of the ledger, without overlaps. Leased ones are given back: their workers are gone.
  SliceTable(Manifest manifest, std::vector<SliceRow> rows);

  [[nodiscard]] const Manifest &manifest() const { return manifest_; }
  [[nodiscard]] std::int64_t merge_position() const { return manifest_.positions(); }

  // The first stretch that no row covers and that is not taken.
  [[nodiscard]] std::optional<Interval> first_untouched() const;
  // Makes the beginning of the first untouched stretch a leased row.
  void lease_untouched(Interval interval);
  // Makes the merge, which has no row yet, a leased row.
  void lease_merge();
  // Takes a row out. The caller puts all of its interval back, as one row or several.
  [[nodiscard]] SliceRow take(std::int64_t begin);
  void put(SliceRow row);
  // Ready again: untouched when there is nothing to remember. A slice with a checkpoint is a row of its own then.
  void give_back(SliceRow row);
  // Takes the slice that holds this position, or the merge, out of what waits to be handed out; nothing when it does not.
  [[nodiscard]] std::optional<SliceRow> take_waiting(std::int64_t position);

  [[nodiscard]] const SliceRow *find(std::int64_t begin) const;
  // By their begin, without the merge: ready rows that remember something, those of them that must run alone, and what is
  // given up.
  [[nodiscard]] const std::set<std::int64_t> &ready() const { return ready_; }
  [[nodiscard]] const std::set<std::int64_t> &dangerous() const { return dangerous_; }
  [[nodiscard]] const std::set<std::int64_t> &quarantined() const { return quarantined_; }
  [[nodiscard]] const std::set<std::int64_t> &isolated() const { return isolated_; }

  // Slices in this state (not of Done), without the merge.
  [[nodiscard]] std::int64_t slices(SliceState state) const { return slices_[static_cast<std::size_t>(state)]; }
  [[nodiscard]] std::int64_t untouched_slices() const { return untouched_slices_; }
  // Slices of the plan of which something is neither done nor isolated. Above, each part of a slice that was cut counts
  // as one.
  [[nodiscard]] std::int64_t unfinished_slices() const;
  // Slices of the plan of which something is given up.
  [[nodiscard]] std::int64_t quarantined_slices() const;
  [[nodiscard]] std::int64_t positions_done() const { return positions_done_; }
  [[nodiscard]] std::int64_t positions_isolated() const { return positions_isolated_; }
  // Behind a checkpoint of a slice that waits for its next attempt.
  [[nodiscard]] std::int64_t positions_checkpointed() const { return positions_checkpointed_; }
  // Failed attempts that another one follows or followed.
  [[nodiscard]] std::int64_t retries() const { return retries_; }

  [[nodiscard]] std::vector<SliceRow> rows() const;
  // What has changed since the last call, by begin: the least that makes the former rows these.
  [[nodiscard]] std::vector<RowDelta> take_changes();

 private:
  [[nodiscard]] bool coalesces(const SliceRow &row) const;
  [[nodiscard]] SliceRow cut_behind_checkpoint(SliceRow &row) const;
  [[nodiscard]] std::int64_t slices_touched(Interval interval) const;
  void tally(const SliceRow &row, std::int64_t sign);
  void tally_untouched(Interval interval, std::int64_t sign);
  [[nodiscard]] bool begins_a_slice(std::int64_t position) const;
  void note(std::int64_t begin);
  void insert(SliceRow row);
  SliceRow remove(std::map<std::int64_t, SliceRow>::iterator at);
  void add_untouched(Interval interval);
  void add_gaps();
  void note_differences(std::vector<SliceRow> loaded);

  Manifest manifest_;
  std::map<std::int64_t, SliceRow> rows_;                   // by begin
  std::map<std::int64_t, std::int64_t> untouched_;          // begin → end, never adjacent
  std::map<std::int64_t, std::optional<SliceRow>> former_;  // rows changed since take_changes(), as they were
  std::set<std::int64_t> ready_;                            // without the dangerous ones
  std::set<std::int64_t> dangerous_;
  std::set<std::int64_t> quarantined_;
  std::set<std::int64_t> isolated_;
  std::array<std::int64_t, 7> slices_{};
  std::int64_t untouched_slices_ = 0;
  std::int64_t parts_ = 0;  // what is not done and begins inside a slice
  std::int64_t positions_done_ = 0;
  std::int64_t positions_isolated_ = 0;
  std::int64_t positions_checkpointed_ = 0;
  std::int64_t retries_ = 0;
};

}  // namespace hostler
