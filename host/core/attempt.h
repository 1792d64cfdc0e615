// What the ledger remembers of the attempts at a job's slices, for joblog and the report: a line for each that failed, and
// one for each run of slices that a worker has done one after another within a moment, so that small slices cost nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/slice_range.h"
#include "core/time.h"

namespace hostler {

struct Build;

struct Attempt {
  std::int64_t seq = 0;  // from 1 on, in the order of their ends; the same again: more is known of it
  SliceRange range;
  std::int32_t attempt = 1;            // 1: the first at this slice
  std::string verdict;                 // "done", "crash" … (core/exit_status)
  std::int32_t code = 0;               // what run() returned, or the process exited with
  std::int32_t signal = 0;             // what it was killed by, or 0
  std::int32_t worker = 0;             // the instance
  std::shared_ptr<const Build> build;  // of what the ledger gives only hash and library are set
  TimePoint began{};                   // on the way to the ledger, which makes began_at of it
  UnixMilliseconds began_at = 0;
  Duration took{};
  std::string reason;  // of one that is not done
};

// What the workers of a job have cost, those that are gone.
struct WorkerUsage {
  std::int64_t workers = 0;     // processes
  Duration cpu{};               // with all that they started and waited for
  std::int64_t peak_bytes = 0;  // resident, of the largest
  bool operator==(const WorkerUsage &) const = default;
};

}  // namespace hostler
