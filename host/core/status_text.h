// What runs, as a table for people. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/status.h"

namespace hostler {

// `resident`: bytes of memory by pid, of those for which it is known. Lines, each with its '\n'.
[[nodiscard]] std::string status_text(const HostStatus &host, const std::map<std::int32_t, std::int64_t> &resident);

}  // namespace hostler
