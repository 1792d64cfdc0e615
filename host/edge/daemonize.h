// The birth of a host in a process of its own, as a daemon or as a child. Whoever starts it waits until it says that it
// is ready or why not. To be called while the process has one thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

// What the new process said of its start. One that ended without a word: code 1 and words that say so.
struct StartReply {
  int code = 0;
  std::string text;
};

// Runs in the new process: is handed the function to report with (once), and returns the exit code.
using ProcessBody = std::function<int(const std::function<void(int, const std::string &)> &report)>;

// Forks, leaves session and terminal (fork, setsid, fork), the working folder (/) and all descriptors (stdio is
// /dev/null), sets umask 027 and signals to their defaults. The daemon never returns from here.
[[nodiscard]] Result<StartReply> start_daemon(const ProcessBody &body);

// A child in a process group of its own, so that a ^C of the terminal does not reach it, and told to end (TERM) when this
// thread ends. Standard input and output are /dev/null, standard error stays; signals are at their defaults.
struct StartedChild {
  pid_t pid = 0;
  UniqueFd pidfd;
  std::optional<StartReply> reply;  // none: `interrupt` was readable before it came, and the child lives on
};
[[nodiscard]] Result<StartedChild> start_child(const ProcessBody &body, int interrupt = -1);

}  // namespace hostler
