// Text to value and back for what a person writes with a unit. Pure. parse_ errors have no `where`: the caller knows
// it; their hint says what to write instead. parse_x(format_x(v)) == v for every v that parse_x can give.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/config.h"
#include "core/error.h"
#include "core/time.h"

namespace hostler {

// "100ms", "1.5s", "1h30m": ns us ms s m h d, from the larger unit to the smaller. A number without a unit is refused.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
// Exact: "100ms", "1m30s", "1.5s", "0s".
[[nodiscard]] std::string format_duration(Duration duration);

// "4096", "16MiB", "4K", "1.5GB": K M G T P are powers of 1024, and so are KiB …; KB … are powers of 1000.
[[nodiscard]] Result<std::int64_t> parse_size(std::string_view text);
// Exact: the largest binary unit that divides it.
[[nodiscard]] std::string format_size(std::int64_t bytes);

// "3", "3%", "0.1%".
[[nodiscard]] Result<Tolerance> parse_tolerance(std::string_view text);
[[nodiscard]] std::string format_tolerance(const Tolerance &tolerance);

// "TERM", "SIGTERM", "15": 1 to 64. The way back is signal_name() of core/exit_status.h.
[[nodiscard]] Result<int> parse_signal(std::string_view text);

// "027", "0o27", "27": octal, at most 0777.
[[nodiscard]] Result<std::uint32_t> parse_umask(std::string_view text);
[[nodiscard]] std::string format_umask(std::uint32_t umask);

// Decimal, with an optional sign, nothing before or after.
[[nodiscard]] Result<std::int64_t> parse_integer(std::string_view text);
// A finite decimal number.
[[nodiscard]] Result<double> parse_number(std::string_view text);

}  // namespace hostler
