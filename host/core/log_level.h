// How much a line of the log matters; the numbers are the ABI's (HOSTLER_LOG_DEBUG …).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace hostler {

enum class LogLevel : std::int32_t { Debug = 0, Info = 1, Warning = 2, Error = 3 };

// Where the supervisor's words go.
using LogSink = std::function<void(LogLevel, const std::string &)>;

}  // namespace hostler
