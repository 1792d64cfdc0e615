// A job's worker of the fake system that claims as a real one does, by core/claims.h, in virtual time; and does what else
// plugins do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "fakes/fake_system.h"

namespace hostler {

// What a plugin may do instead of going on.
enum class Deed {
  GoOn,
  Fail,        // returns 70
  Yield,       // returns 85
  RetryLater,  // returns 75
  NoRoom,      // the same, and its runtime has found the disk full
  BadData,     // returns 65
  BadConfig,   // returns 78
  StopShort,   // returns 0 with something left to claim
  Crash,       // SIGSEGV
  Die,         // a SIGKILL that nobody here has sent
  Exit,        // leaves by itself, without returning
  Hang,        // shows no sign of life any more
  Dawdle,      // goes on, after half a minute
};

// How it takes to being stopped.
enum class Manner {
  Claims,   // by its claims
  Yields,   // takes a slice as a whole, and returns 85 when it is cancelled
  Leaves,   // the same, and exits without a verdict then
  Ignores,  // the same, and goes on
};

struct Claiming {
  Duration each = std::chrono::milliseconds(10);  // for a unit
  std::int64_t units = 1;                         // in one claim
  // How often each position was claimed, whatever became of it.
  std::map<std::int64_t, int> *claimed = nullptr;
  Manner manner = Manner::Claims;
  // What it does with these positions (global; those of merge() are [end, end + 1)), when it has claimed them.
  std::function<Deed(FakeWorker &worker, Interval positions)> deed = nullptr;
  // What a slice leaves, of these positions (global) since its last checkpoint; by default its result is "LAST POSITION + 1"
  // of what it has claimed, counted as "positions".
  std::function<void(const Lease &lease, Interval since, SliceEnded &ended)> leave = nullptr;
  // A checkpoint after so many claims, what it is to leave likewise; 0: never.
  std::int64_t checkpoint_every = 0;
  std::function<void(const Lease &lease, Interval since, SegmentEnded &ended)> leave_segment = nullptr;
};

Script claiming_script(const Claiming &claiming);

}  // namespace hostler
