// All that happens to one job, as data: what it is, what its plugin does where, and what the world does to it meanwhile.
// Made of a seed; can be told as text, and made smaller.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/time.h"
#include "fakes/claiming_worker.h"

namespace hostler {

// What the plugin does when it comes to a position; so many times, then no more.
struct Hitch {
  std::int64_t position = 0;  // global; the job's end: merge()
  Deed deed = Deed::GoOn;
  std::int32_t times = 1;
};
inline constexpr std::int32_t kAlways = 1 << 30;

enum class Happening {
  WorkerKilled,   // number: which of those that live
  WorkerCrashed,  // likewise
  HostKilled,
  HostStopped,  // gracefully, and started again
  HostStoppedAtOnce,
  Stop,
  Start,
  Restart,
  Pause,
  Resume,
  Cancel,
  Retry,
  Scale,        // number: to so many
  Reload,       // number: to so many workers, and another build
  ReloadState,  // the same, and that one knows no checkpoint of the former
  ReloadCount,  // number: to so many workers
  GoOnAnew,     // a reload with --resume
  FromZero,     // a reload with --fresh
  DiskFull,     // number: so many tenths of a second long
  ForksFail,    // number: so many of them
};

struct Event {
  Duration at{};
  Happening what = Happening::WorkerKilled;
  std::int32_t number = 0;
};

struct History {
  std::uint64_t seed = 0;
  InputKind kind = InputKind::Range;
  std::vector<std::int64_t> inputs;  // their sizes
  std::int64_t slice = 1;
  std::int64_t unit = 1;
  std::int32_t count = 1;
  std::int32_t attempts = 3;
  std::int32_t max_temporary = 2;
  std::int64_t max_failed = 0;
  bool splittable = true;
  bool has_merge = false;
  bool watchdog = true;     // 5 s; the plugin never hangs without it
  bool time_limit = false;  // 10 s
  Manner manner = Manner::Claims;
  Duration each{};               // for a unit
  std::int64_t units = 1;        // in one claim
  std::int32_t checkpoints = 0;  // after so many claims; 0: none
  std::int32_t skips = 0;        // every so manieth position is put aside; 0: none
  std::int64_t max_skipped = 0;
  std::int32_t files = 0;  // every so manieth slice leaves files; 0: none
  Duration latency{};
  std::vector<Hitch> troubles;
  std::vector<Event> events;
};

[[nodiscard]] History random_history(std::uint64_t seed);
[[nodiscard]] std::string text(const History &history);
[[nodiscard]] std::string words(const Event &event);
// All that are a little smaller than this one, the smallest first.
[[nodiscard]] std::vector<History> smaller(const History &history);

}  // namespace hostler
