// What the parts of the ledger that write have in common.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/error.h"
#include "core/time.h"

namespace hostler {

// As SQLite has numbers.
inline std::int64_t sql_number(auto value) {
  return static_cast<std::int64_t>(value);
}

inline std::int64_t microseconds(Duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

// A stamp that nobody has given is the present.
inline UnixMilliseconds now_unless(UnixMilliseconds given) {
  if (given != 0) return given;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Goes through until the first failure.
template <typename Range, typename Step>
Result<void> for_all(const Range &range, Step step) {
  for (const auto &each : range)
    if (Result<void> done = step(each); !done) return done;
  return {};
}

}  // namespace hostler
