// Is a worker overdue? Looks at its page now and then, remembers what it saw, and says so. Pure; one for each process.
//
// A page tells that something has changed, not when: a change counts from the look that found it. So nothing is called
// overdue too early, and nothing too late by more than the time between two looks, an eighth of the limit. While a worker
// waits in a checkpoint no time of its own passes: the disk may be full.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/page.h"
#include "core/time.h"

namespace hostler {

struct VigilLimits {
  std::optional<Duration> watchdog;    // no claim, heartbeat or progress for so long: hung
  std::optional<Duration> time_limit;  // of one slice; jobs
  bool job = false;
};

// How long a worker may take from its start to run(), prepare() included: `watchdog:`, and without one
inline constexpr Duration kLoadLimit = std::chrono::seconds(60);

struct Overdue {
  enum class Kind {
    Slice,  // the slice is over its time limit: it is asked to stop first
    Hung,   // no sign of life
  };
  Kind kind = Kind::Hung;
  std::string reason;  // "hung: no sign of life for 30s"
  bool operator==(const Overdue &) const = default;
};

class Vigil {
 public:
  // The process is about to load its plugin.
  void begin(TimePoint now);
  // It was given work, or told what became of it: whatever begins now, begins now.
  void progressed(TimePoint now);

  // `loaded`: it has said that it is about to run. `busy`: it is in run() or merge(), or has work that it should be at;
  // a worker that waits for work is never overdue.
  [[nodiscard]] std::optional<Overdue> look(const WorkerPart &page, bool loaded, bool busy, const VigilLimits &limits,
                                            TimePoint now);
  // When to look again at the latest; nothing: there is nothing to watch for.
  [[nodiscard]] std::optional<TimePoint> next_look(bool loaded, const VigilLimits &limits, TimePoint now) const;

 private:
  TimePoint began_{};
  TimePoint alive_{};  // the look that found the last sign of life
  TimePoint slice_{};  // … that found it in its present slice
  TimePoint looked_{};
  std::uint64_t beats_ = 0;
  std::int64_t begun_ = -1;
  std::int64_t claimed_to_ = 0;
  std::uint32_t stage_ = 0;
};

}  // namespace hostler
