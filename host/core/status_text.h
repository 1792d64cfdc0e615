// What runs, as a table for people. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/status.h"

namespace hostler {

// Of an entry with many workers only some are shown: those that do not simply run, and the first of the others. The rest
// is counted in `more`.
void keep_shown(EntryStatus &entry);

// `resident`: bytes of memory by pid, of those for which it is known. Lines, each with its '\n'.
[[nodiscard]] std::string status_text(const HostStatus &host, const std::map<std::int32_t, std::int64_t> &resident);

}  // namespace hostler
