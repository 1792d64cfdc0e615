// How much memory a process has in use.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace hostler {

// Resident, in bytes, by /proc/PID/statm; 0 when that cannot be read.
[[nodiscard]] std::int64_t resident_bytes(pid_t pid);

}  // namespace hostler
