// A worker without a fleet: one process that is told to start and given one lease, its output on the terminal. For
// replay, in the foreground, under a debugger or not. Blocks.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/crash.h"
#include "core/exit_status.h"
#include "core/messages.h"
#include "core/page.h"
#include "edge/unique_fd.h"

namespace hostler {

class ReplayWorker {
 public:
  struct Ended {
    WaitStatus status;  // of the debugger, under one
    WorkerPart page;    // as it stood at the end
    std::optional<CrashCapture> crash;
    std::optional<SliceEnded> slice;  // what it told of the slice, if it did
    bool whole = false;               // it told that all of the lease has ended
    bool advanced = false;            // it has made a checkpoint; what it had left by then:
    std::map<std::string, std::int64_t> counters;
    std::vector<Aside> skipped;
  };

  // What the worker is to inherit: two descriptors, for the command line to name.
  [[nodiscard]] static Result<ReplayWorker> create();
  [[nodiscard]] int channel() const { return theirs_.get(); }
  [[nodiscard]] int page() const { return page_.get(); }

  // Executes `argv`, as `user` if there is one, and goes with it to its end.
  [[nodiscard]] Result<Ended> run(const std::vector<std::string> &argv, const std::optional<User> &user,
                                  const Start &start, const Lease &lease);

 private:
  ReplayWorker() = default;
  [[nodiscard]] Result<void> let_go() const;
  [[nodiscard]] bool take(WorkerMessage message, Ended &ended) const;
  void tell(const std::string &frames) const;
  void listen(Ended &ended) const;

  UniqueFd ours_;
  UniqueFd theirs_;
  UniqueFd page_;
};

}  // namespace hostler
