// Children of the host that belong to no worker that lives: left by one that has died, or forked by a template that died
// before it told of them. The host is the subreaper of all that its workers start, so what loses its parent comes to it,
// whatever group or session it has gone to. They are killed, and watched until they are reaped.
// The loop's thread, which must be the one that forks.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "core/time.h"
#include "edge/event_loop.h"
#include "edge/unique_fd.h"

namespace hostler {

class Strays {
 public:
  struct Known {
    std::set<pid_t> children;
    std::set<pid_t> groups;  // of workers that live: what is in one is that worker's own affair
  };
  // What is known now; nothing when that cannot be told at the moment: then it is looked again a little later.
  using AskKnown = std::function<std::optional<Known>()>;
  // A group that one of them was in, and is not the leader of: another may have come into its place.
  using EndGroup = std::function<void(pid_t group)>;

  // From now on what loses its parent below us becomes our child, not init's. Children that are there already stay.
  Strays(EventLoop &loop, AskKnown known, EndGroup end_group);

  // Reads the list of children, about 0.3 µs each: not for every event of a large fleet. False: it cannot be told at the
  // moment who is a stray.
  bool end();
  void end_soon();
  // This child, which is nobody's that lives, has died: nothing needs to be looked for.
  void take_dead(pid_t pid) const;
  // For the end of the host: kills and reaps them all, and what comes to us by their death. Blocks.
  void end_all();
  // One that was found at or after that time has not been reaped.
  [[nodiscard]] bool remain_since(TimePoint time) const;

 private:
  struct Stray {
    UniqueFd pidfd;
    TimePoint found;
    EventLoop::Watch watch;
  };
  // Whether there was one.
  bool sweep(const Known &known);
  // Whether it is one.
  bool end_one(pid_t pid, pid_t group, const Known &known);

  EventLoop &loop_;
  AskKnown known_;
  EndGroup end_group_;
  std::map<pid_t, Stray> strays_;
  std::set<pid_t> strangers_;  // children that were there before us: not ours to end
  EventLoop::Timer timer_;
  bool timer_is_set_ = false;
};

}  // namespace hostler
