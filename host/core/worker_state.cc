#include "core/worker_state.h"

namespace hostler {
namespace {

using enum WorkerState;
using Action = WorkerAction;

WorkerStep left(WorkerState state, Desired desired, WorkerStep wanted) {
  if (desired == Desired::Down) return {Stopped, Action::None};
  // It was stopped to make place for its successor.
  if (state == Stopping || state == Killing) return {Starting, Action::Spawn};
  return wanted;
}

WorkerStep on_wanted(WorkerState state) {
  switch (state) {
    case Stopped:
    case Finished:
    case Failed: return {Starting, Action::Spawn};
    case Starting:
    case Running:
    case Stopping:
    case Killing:
    case Backoff: return {state, Action::None};
  }
  return {state, Action::None};
}

WorkerStep on_unwanted(WorkerState state) {
  switch (state) {
    case Starting:
    case Running: return {Stopping, Action::Stop};
    case Stopping:
    case Killing: return {state, Action::None};
    case Backoff:
    case Stopped:
    case Finished:
    case Failed: return {Stopped, Action::None};
  }
  return {state, Action::None};
}

WorkerStep on_replaced(WorkerState state) {
  switch (state) {
    case Starting:
    case Running: return {Stopping, Action::Stop};
    case Backoff:
    case Stopped:
    case Finished:
    case Failed: return {Starting, Action::Spawn};
    case Stopping:
    case Killing: return {state, Action::None};
  }
  return {state, Action::None};
}

}  // namespace

WorkerStep next(WorkerState state, Desired desired, WorkerEvent event) {
  switch (event) {
    case WorkerEvent::Wanted: return on_wanted(state);
    case WorkerEvent::Unwanted: return on_unwanted(state);
    case WorkerEvent::Replaced: return on_replaced(state);
    case WorkerEvent::EnteredRun: return {state == Starting ? Running : state, Action::None};
    case WorkerEvent::OutOfGrace:
      return state == Stopping ? WorkerStep{Killing, Action::Kill} : WorkerStep{state, Action::None};
    case WorkerEvent::LeftRestart:
      return is_alive(state) ? left(state, desired, {Backoff, Action::StartDelay}) : WorkerStep{state, Action::None};
    case WorkerEvent::LeftFinished:
      return is_alive(state) ? left(state, desired, {Finished, Action::None}) : WorkerStep{state, Action::None};
    case WorkerEvent::LeftFailed:
      // A failure that would come again at once is not a replacement's fault to find out.
      if (!is_alive(state)) return {state, Action::None};
      return desired == Desired::Down ? WorkerStep{Stopped, Action::None} : WorkerStep{Failed, Action::None};
    case WorkerEvent::Due:
      return state == Backoff ? WorkerStep{Starting, Action::Spawn} : WorkerStep{state, Action::None};
  }
  return {state, Action::None};
}

bool is_alive(WorkerState state) {
  switch (state) {
    case Starting:
    case Running:
    case Stopping:
    case Killing: return true;
    case Stopped:
    case Backoff:
    case Finished:
    case Failed: return false;
  }
  return false;
}

std::string_view name(WorkerState state) {
  switch (state) {
    case Stopped: return "stopped";
    case Starting: return "starting";
    case Running: return "running";
    case Stopping: return "stopping";
    case Killing: return "killing";
    case Backoff: return "backoff";
    case Finished: return "finished";
    case Failed: return "failed";
  }
  return "";
}

}  // namespace hostler
