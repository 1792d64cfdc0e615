// Time as core knows it: handed in, never asked for. Intervals are monotonic; a wall-clock stamp ends in _at.
#pragma once

#include <chrono>
#include <cstdint>

namespace hostler {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using UnixMilliseconds = std::int64_t;  // wall clock since 1970, only shown or stored

}  // namespace hostler
