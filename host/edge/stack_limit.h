// The stack that this process may use: the kernel's for its main thread, the C library's for each other one.
#pragma once

#include "core/error.h"

namespace hostler {

// An error when it is less than hostler needs, which would die in the middle of its work.
[[nodiscard]] Result<void> check_stack_limit();

}  // namespace hostler
