// INT, TERM, HUP and QUIT as something to look at, for commands that wait: nothing happens until they are asked for.
#pragma once

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

class StopSignals {
 public:
  // From now on they no longer end the process, not even if the shell had told it to ignore them.
  [[nodiscard]] static Result<StopSignals> take();
  // Takes one that has arrived; 0: none.
  [[nodiscard]] int arrived();
  // Readable when one has arrived.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit StopSignals(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace hostler
