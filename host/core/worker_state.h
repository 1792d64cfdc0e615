// The life of one place for a worker (a slot: instance i of an entry), as a pure table of two axes: what is wanted
// (desired) and how it stands (state).
//
//   Stopped ──want──► Starting ──entered run──► Running
//      ▲                 │  └────── left ──────────┤
//      │                 ▼ by what it left with:   ▼
//      │        Backoff ──due──► Starting    Finished · Failed
//      └── left ── Killing ◄── grace over ── Stopping ◄── unwanted, or to be replaced
//
// A slot that left while it was being stopped starts again at once if it is wanted (that is a replacement), else it is
// Stopped. Finished and Failed stay so until somebody wants it anew. Every state answers every event.
#pragma once

#include <string_view>

namespace hostler {

enum class WorkerState { Stopped, Starting, Running, Stopping, Killing, Backoff, Finished, Failed };
enum class Desired { Down, Up };

enum class WorkerEvent {
  Wanted,        // desired has become Up, or the limits were forgotten: start what is not up
  Unwanted,      // desired has become Down
  Replaced,      // wanted, but with another build or other settings
  EnteredRun,    // the plugin is loaded
  OutOfGrace,    // the grace period is over
  LeftRestart,   // gone, or could not be spawned: start again after the delay
  LeftFinished,  // gone for good: its work is done
  LeftFailed,    // gone for good: it failed
  Due,           // the delay is over
};

// Entering a state cancels the timer of the former one.
enum class WorkerAction {
  None,
  Spawn,
  Stop,  // begin to stop it
  Kill,
  StartDelay,  // set the timer of the backoff
};

struct WorkerStep {
  WorkerState state;
  WorkerAction action;
  bool operator==(const WorkerStep &) const = default;
};

// The whole table.
[[nodiscard]] WorkerStep next(WorkerState state, Desired desired, WorkerEvent event);

// Is there a process, or one on its way?
[[nodiscard]] bool is_alive(WorkerState state);

[[nodiscard]] std::string_view name(WorkerState state);

}  // namespace hostler
