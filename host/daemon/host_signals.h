// Signals to the host as data: all of them blocked, those that mean something read in the loop.
#pragma once

#include <sys/types.h>

#include <functional>

#include "core/error.h"
#include "edge/event_loop.h"
#include "edge/unique_fd.h"

namespace hostler {

class HostSignals {
 public:
  // Blocks the signals for this thread and all that it starts: to be called before any thread is.
  [[nodiscard]] static Result<HostSignals> block();
  // Hands each signal to the handler (HUP, TERM, INT, QUIT, USR1, CHLD) with the pid of whom it is from or tells, on the
  // loop's thread. Of several of a kind that wait the handler gets one.
  void deliver_to(EventLoop &loop, std::function<void(int number, pid_t pid)> handler);

 private:
  explicit HostSignals(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  EventLoop::Watch watch_;
};

}  // namespace hostler
