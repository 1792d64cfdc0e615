// What there is to say at the end of a job, and on the way: made from the ledger's rows and attempts, taken one after
// another, in little memory. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/attempt.h"
#include "core/job_store.h"
#include "core/job_tally.h"

namespace hostler {

struct SlowSlice {
  std::string slice;  // "NAME.INPUT-BEGIN"
  Duration took{};    // of a line of several slices, what each of them took on average
  std::int32_t worker = 0;
};

struct GivenUp {
  std::string slice;
  std::string reason;
};

struct JobReport {
  std::string job;
  JobState state = JobState::Running;
  std::string reason;
  JobProgress progress;
  std::string unit;           // "bytes", "numbers", "items"
  std::int64_t attempts = 0;  // slices that workers have worked on, each attempt counted
  std::int64_t failures = 0;  // … that came to nothing, for which nobody had asked
  Duration elapsed{};         // wall clock, while at least one worker was in a slice
  Duration work{};            // all attempts together
  double rate = 0;            // positions a second of `elapsed`
  WorkerUsage usage;
  std::vector<std::string> builds;   // the first 12 digits of those that did some of it, in their order
  std::vector<SlowSlice> slowest;    // at most kMost
  std::vector<GivenUp> quarantined;  // the first kMost
  std::vector<GivenUp> isolated;     // records, the first kMost
  std::map<std::string, std::int64_t> counters;

  static constexpr std::size_t kMost = 5;
};

class JobReporter {
 public:
  // `job` without its rows; outlives this.
  explicit JobReporter(const StoredJob &job);
  void add(const SliceRow &row);     // in the order of their begins
  void add(const Attempt &attempt);  // in the order of seq
  [[nodiscard]] JobReport report() const;

 private:
  void count_time(const Attempt &attempt);

  const StoredJob &job_;
  JobTally tally_;
  JobReport report_;
  // Stretches of time in which somebody worked, in microseconds since 1970, disjoint and in order.
  std::vector<Interval> busy_;
};

// What a position of such an input is, for people: "bytes", "numbers", "items".
[[nodiscard]] std::string_view unit_of(InputKind kind);

// Lines, each with its '\n'.
[[nodiscard]] std::string report_text(const JobReport &report);

}  // namespace hostler
