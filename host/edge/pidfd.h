// A process held by descriptor, never by a bare number. Any thread.
#pragma once

#include <sys/types.h>

#include <optional>

#include "core/exit_status.h"
#include "core/time.h"
#include "edge/unique_fd.h"

namespace hostler {

// Not valid when there is no such process, with errno set. Of one's own unreaped child it always names the right one.
[[nodiscard]] UniqueFd open_pidfd(pid_t pid);

// False when it is gone.
bool send_signal(const UniqueFd &pidfd, int signal);

// Waits until it has died, at most so long; false when it has not.
[[nodiscard]] bool wait_for_death(const UniqueFd &pidfd, Duration at_most);

// Takes the status of a child that has died; nothing when it has not, or is not ours.
[[nodiscard]] std::optional<WaitStatus> reap(const UniqueFd &pidfd);

}  // namespace hostler
