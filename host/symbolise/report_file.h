// STATE/crashes/ENTRY/TIME-PID.txt: one crash, for a person. Few are kept of each entry, the newest.
#pragma once

#include <string>

#include "core/backtrace.h"
#include "core/crash.h"

namespace hostler {

inline constexpr std::size_t kMostReports = 10;  // of one entry

// Makes the folder, writes the file as a whole, and removes what is too old beside it. Without a backtrace it says that
// there is none yet. Returns why it could not, or nothing.
[[nodiscard]] std::string write_report(const std::string &path, const std::string &words, const CrashCapture &capture,
                                       const Backtrace *backtrace);

}  // namespace hostler
