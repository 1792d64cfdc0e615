// What the rows of a job come to, taken one after another, so that a job with many of them is counted in little memory.
// Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "core/job.h"
#include "core/slice_table.h"
#include "core/slicing.h"

namespace hostler {

// Rows by their begin: what lies between them has none, as it was never handed out or has come back with nothing to
// remember.
class Gaps {
 public:
  explicit Gaps(const Manifest &plan) : end_(plan.positions()) {}
  // A ready row for what no row covers before `begin`; behind the last row ask for merge_position.
  [[nodiscard]] std::optional<SliceRow> before(std::int64_t begin) const {
    const std::int64_t to = begin < end_ ? begin : end_;
    if (to <= covered_) return std::nullopt;
    return SliceRow{covered_, to, SliceState::Ready, 0, 0, {}};
  }
  void pass(const SliceRow &row) { covered_ = row.end; }

 private:
  std::int64_t end_;
  std::int64_t covered_ = 0;
};

class JobTally {
 public:
  explicit JobTally(const Manifest &plan) : plan_(plan), gaps_(plan) {}
  // In the order of their begins.
  void add(const SliceRow &row);
  // Leased slices of a host that is gone count as such. The merge counts for retries only.
  [[nodiscard]] JobProgress progress() const;

 private:
  // Slices of the plan, some of which other rows have been counted for.
  class Count {
   public:
    void add(const Manifest &plan, const SliceRow &row);
    [[nodiscard]] std::int64_t slices() const { return slices_; }

   private:
    std::int64_t slices_ = 0;
    std::int64_t last_ = -1;  // by its index
  };

  const Manifest &plan_;
  Gaps gaps_;
  JobProgress so_far_;
  Count not_done_;
  Count quarantined_;
};

}  // namespace hostler
