#include "core/worker_state.h"

#include <gtest/gtest.h>

#include <vector>

namespace hostler {
namespace {

using enum WorkerState;
using Event = WorkerEvent;
using Action = WorkerAction;

const std::vector<WorkerState> kStates = {Stopped, Starting, Running, Stopping, Killing, Backoff, Finished, Failed};
const std::vector<Event> kEvents = {Event::Wanted,       Event::Unwanted,   Event::Replaced,
                                    Event::EnteredRun,   Event::OutOfGrace, Event::LeftRestart,
                                    Event::LeftFinished, Event::LeftFailed, Event::Due};

template <typename Check>
void for_all(Check check) {
  for (const WorkerState state : kStates)
    for (const Desired desired : {Desired::Down, Desired::Up})
      for (const Event event : kEvents) check(state, desired, event, next(state, desired, event));
}

TEST(WorkerState, AProcessIsSpawnedOnlyWhereThereIsNone) {
  for_all([](WorkerState state, Desired, Event event, WorkerStep step) {
    if (step.action != Action::Spawn) return;
    EXPECT_EQ(step.state, Starting);
    const bool left = event == Event::LeftRestart || event == Event::LeftFinished;
    EXPECT_TRUE(left || !is_alive(state)) << name(state);
  });
}

TEST(WorkerState, AliveIsLeftOnlyByLeaving) {
  for_all([](WorkerState state, Desired, Event event, WorkerStep step) {
    if (!is_alive(state) || is_alive(step.state)) return;
    EXPECT_TRUE(event == Event::LeftRestart || event == Event::LeftFinished || event == Event::LeftFailed);
  });
}

TEST(WorkerState, WhoLeavesUnwantedIsStopped) {
  for (const WorkerState state : {Starting, Running, Stopping, Killing})
    for (const Event event : {Event::LeftRestart, Event::LeftFinished, Event::LeftFailed})
      EXPECT_EQ(next(state, Desired::Down, event), (WorkerStep{Stopped, Action::None})) << name(state);
}

TEST(WorkerState, WhoLeavesForItsReplacementIsFollowedAtOnce) {
  for (const WorkerState state : {Stopping, Killing})
    for (const Event event : {Event::LeftRestart, Event::LeftFinished})
      EXPECT_EQ(next(state, Desired::Up, event), (WorkerStep{Starting, Action::Spawn})) << name(state);
}

TEST(WorkerState, AFailureWaitsForItsDelayAndThenStarts) {
  EXPECT_EQ(next(Running, Desired::Up, Event::LeftRestart), (WorkerStep{Backoff, Action::StartDelay}));
  EXPECT_EQ(next(Backoff, Desired::Up, Event::Due), (WorkerStep{Starting, Action::Spawn}));
  EXPECT_EQ(next(Backoff, Desired::Down, Event::Unwanted), (WorkerStep{Stopped, Action::None}));
}

TEST(WorkerState, StoppingEndsInAKillOnlyOnce) {
  EXPECT_EQ(next(Running, Desired::Down, Event::Unwanted), (WorkerStep{Stopping, Action::Stop}));
  EXPECT_EQ(next(Stopping, Desired::Down, Event::OutOfGrace), (WorkerStep{Killing, Action::Kill}));
  EXPECT_EQ(next(Killing, Desired::Down, Event::OutOfGrace), (WorkerStep{Killing, Action::None}));
  for_all([](WorkerState state, Desired, Event, WorkerStep step) {
    if (step.action == Action::Kill) {
      EXPECT_EQ(state, Stopping);
    }
  });
}

TEST(WorkerState, FinishedAndFailedStayUntilWantedAnew) {
  for (const WorkerState state : {Finished, Failed})
    for (const Event event : kEvents) {
      const WorkerStep step = next(state, Desired::Up, event);
      const bool anew = event == Event::Wanted || event == Event::Replaced;
      EXPECT_EQ(step.state, anew ? Starting : event == Event::Unwanted ? Stopped : state);
    }
}

TEST(WorkerState, EveryStateHasANameOfItsOwn) {
  for (const WorkerState a : kStates)
    for (const WorkerState b : kStates) EXPECT_EQ(name(a) == name(b), a == b);
}

}  // namespace
}  // namespace hostler
