// What the first process of a container, or of a PID namespace, has to be: a bare init. To be called while the process has
// one thread.
#pragma once

#include "core/error.h"

namespace hostler {

// As PID 1 it forks and returns in the child, at once when this is not PID 1. The parent stays behind as the init: it reaps
// whoever comes to it, and kills none of them; it passes the signals it gets on to the child, and ends as the child has
// ended, with 128 more than the signal that has killed it. With it the kernel ends everybody else in there.
[[nodiscard]] Result<void> leave_init_behind();

[[nodiscard]] bool is_init();

}  // namespace hostler
