// The address of STATE/hostler.sock. A socket's path is at most 107 bytes, a state folder's may be longer: the socket
// is bound and reached through /proc/self/fd.
#pragma once

#include <string>

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

inline constexpr const char *kSocketName = "hostler.sock";

// The state folder, to be named in a path only (O_PATH).
[[nodiscard]] Result<UniqueFd> open_state_dir(const std::string &state_dir);
// A non-blocking socket that listens, with mode 0600; a former one is replaced.
[[nodiscard]] Result<UniqueFd> listen_in(int state_dir_fd);
// A blocking, connected socket; nothing when nobody listens there.
[[nodiscard]] Result<UniqueFd> connect_in(int state_dir_fd);

}  // namespace hostler
