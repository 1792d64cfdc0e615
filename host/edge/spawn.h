// A program of ours in a process of its own, beside the fleet: in a group of its own, with default signals, and with no
// descriptor of the host's but those it is given. Any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

struct Spawned {
  pid_t pid = 0;
  UniqueFd pidfd;
};

// `arguments` begin with the program's name for itself. fds[i], which stays the caller's, becomes the child's descriptor i;
// -1 is /dev/null. The caller has the child ended and reaped.
[[nodiscard]] Result<Spawned> spawn_program(const std::string &path, std::vector<std::string> arguments,
                                            const std::vector<int> &fds);

}  // namespace hostler
