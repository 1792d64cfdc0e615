// STATE/fleet.lock: held by every worker and by all that they fork, through one open file that they inherit. Who has it
// knows that no process of an earlier host is left: so two live owners of one slice cannot be.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/time.h"
#include "edge/unique_fd.h"

namespace hostler {

// What is left of a former fleet is killed, not asked: it does not take longer than the kernel needs.
inline constexpr Duration kFleetLockLimit = std::chrono::seconds(30);

class FleetLock {
 public:
  // Takes the lock, and ends whoever holds it: left over from a host that died. The caller has made sure that no other
  // host lives on this state folder. Blocks for at most `limit`; `waiting` is told in words what for, whenever that
  // changes. Then an error names the holders.
  [[nodiscard]] static Result<FleetLock> take(const std::string &state_dir, Duration limit,
                                              const std::function<void(const std::string &)> &waiting);

  // For the template, which hands it on. Close-on-exec here.
  [[nodiscard]] int fd() const { return fd_.get(); }

  // The processes that hold this lock now, or its open file, but for our own. Looks through /proc: milliseconds.
  [[nodiscard]] std::vector<pid_t> holders() const;
  // Ends them: what workers have forked and what has left their groups. Blocks for a moment, if there are any; call it
  // when nothing forks for us any more: fd() is another one afterwards, which nobody shares.
  void end_holders();

  // Ends what is left of an earlier host's fleet though the lock was free: as a plugin has let go of it for all who share
  // it, or as somebody has closed it, but has the mark in its environment. Blocks for a moment, if there is any. Looks
  // through /proc: when that host has not ended by itself, so that it could not end them.
  void end_left_behind() const;

 private:
  explicit FleetLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// "HOSTLER_FLEET=DEVICE:INODE" of this lock's file: what has it in the environment that it was started with is of its fleet.
[[nodiscard]] std::string fleet_mark(int lock_fd);

}  // namespace hostler
