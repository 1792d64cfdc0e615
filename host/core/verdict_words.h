// The name of a verdict as people and scripts are told it, of a process that is gone. Pure.
#pragma once

#include <string_view>

#include "core/exit_status.h"

namespace hostler {

// name(verdict); but "probably out of memory" of a SIGKILL that no cgroup has counted: it may have come from anybody.
[[nodiscard]] std::string_view told_name(Verdict verdict, const WaitStatus &status);

}  // namespace hostler
