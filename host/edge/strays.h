// Children of the host that belong to no worker that lives: left by one that has died, or forked by a template that died
// before it told of them. The host is the subreaper of all that its workers start, so what loses its parent comes to it,
// whatever group or session it has gone to. They are killed, and watched until they are reaped. Where the next look finds
// another one in the same group, whose leader is dead, that is ended as a whole.
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

  // From now on what loses its parent below us becomes our child, not init's. Children that are there already stay.
  Strays(EventLoop &loop, AskKnown known);

  // Reads the list of children, about 0.3 µs each: not for every event of a large fleet. False: it cannot be told at the
  // moment who is a stray.
  bool end();
  void end_soon();
  // This child, which is nobody's that lives, has died: nothing needs to be looked for.
  void take_dead(pid_t pid) const;
  // For the end of the host: kills and reaps them all, and what comes to us by their death. Blocks, half a minute at most if
  // new ones come for ever.
  void end_all();
  // One that was found at or after that time has not been reaped.
  [[nodiscard]] bool remain_since(TimePoint time) const;

 private:
  struct Stray {
    UniqueFd pidfd;
    TimePoint found;
    EventLoop::Watch watch;
  };
  // Its group, if it is one.
  std::optional<pid_t> end(pid_t pid, const Known &known);
  // What forks and leaves its place to another for ever.
  void end_line(pid_t group) const;

  EventLoop &loop_;
  AskKnown known_;
  std::map<pid_t, Stray> strays_;
  std::set<pid_t> strangers_;  // children that were there before us: not ours to end
  std::set<pid_t> groups_;     // that strays were in when we looked last, and did not lead
  EventLoop::Timer timer_;
  bool timer_is_set_ = false;
};

}  // namespace hostler
