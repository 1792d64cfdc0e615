// Becoming another user, before any code of a plugin runs. Only root can. One thread.
#pragma once

#include <string>

#include "core/error.h"
#include "core/machine.h"

namespace hostler {

// Groups, group and user, for good. Then the parent-death signal (KILL) and dumpable, which the kernel takes away with
// that, are set again: whoever has a parent to check must do so after this.
[[nodiscard]] Result<void> become_user(const User &user);

// Makes the folder of attempts (OUTPUT/.attempts) the user's own, and OUTPUT and what the host will make in it readable for
// its group. Follows no link in either.
[[nodiscard]] Result<void> give_attempts_to(const std::string &attempts_dir, const User &user);

}  // namespace hostler
