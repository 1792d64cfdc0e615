#include "core/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "core/exit_status.h"

namespace hostler {
namespace {

__extension__ using Wide = unsigned __int128;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::int64_t kSecond = 1'000'000'000;
// From the largest to the smallest, as they are written one after the other.
constexpr std::array kDurationUnits{Unit{"d", 86400 * kSecond},
                                    Unit{"h", 3600 * kSecond},
                                    Unit{"m", 60 * kSecond},
                                    Unit{"s", kSecond},
                                    Unit{"ms", 1'000'000},
                                    Unit{"us", 1000},
                                    Unit{"ns", 1}};
constexpr std::int64_t kKibi = 1024;
constexpr std::array kBinaryUnits{Unit{"PiB", kKibi *kKibi *kKibi *kKibi *kKibi},
                                  Unit{"TiB", kKibi *kKibi *kKibi *kKibi}, Unit{"GiB", kKibi *kKibi *kKibi},
                                  Unit{"MiB", kKibi *kKibi}, Unit{"KiB", kKibi}};
constexpr std::array kDecimalUnits{Unit{"PB", 1'000'000'000'000'000},
                                   Unit{"TB", 1'000'000'000'000},
                                   Unit{"GB", 1'000'000'000},
                                   Unit{"MB", 1'000'000},
                                   Unit{"KB", 1000},
                                   Unit{"kB", 1000},
                                   Unit{"B", 1},
                                   Unit{"", 1}};
constexpr std::size_t kMostDigits = 18;  // of a fraction: fit into an int64_t
constexpr std::size_t kMostWritten = 60;

// What the user wrote, for a message: cut, and without control characters.
std::string as_written(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMostWritten)) out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  return text.size() > kMostWritten ? out + "…" : out;
}

bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_decimals(std::string_view &text) {
  std::size_t n = 0;
  while (n < text.size() && is_decimal(text[n])) ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

std::string_view take_letters(std::string_view &text) {
  std::size_t n = 0;
  while (n < text.size() && !is_decimal(text[n]) && text[n] != '.') ++n;
  const std::string_view letters = text.substr(0, n);
  text.remove_prefix(n);
  return letters;
}

// An unsigned decimal; its whole part is an int64_t, behind the point are at most 18 digits.
struct Decimal {
  std::int64_t whole = 0;
  std::int64_t fraction = 0;  // of `scale`
  std::int64_t scale = 1;
};

std::optional<Decimal> take_decimal(std::string_view &text) {
  Decimal decimal;
  const std::string_view whole = take_decimals(text);
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), decimal.whole);
  if (error != std::errc()) return std::nullopt;
  if (text.empty() || text.front() != '.') return decimal;
  text.remove_prefix(1);
  const std::string_view fraction = take_decimals(text);
  if (fraction.empty() || fraction.size() > kMostDigits) return std::nullopt;
  for (const char c : fraction) {
    decimal.fraction = decimal.fraction * 10 + (c - '0');
    decimal.scale *= 10;
  }
  return decimal;
}

// Nothing when it does not fit. What is finer than one unit of the result is cut.
std::optional<std::int64_t> times(const Decimal &decimal, std::int64_t factor) {
  const Wide whole = static_cast<Wide>(decimal.whole) * static_cast<Wide>(factor);
  const Wide part = static_cast<Wide>(decimal.fraction) * static_cast<Wide>(factor) / static_cast<Wide>(decimal.scale);
  if (whole + part > static_cast<Wide>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(whole + part);
}

const Unit *find_unit(std::span<const Unit> units, std::string_view name) {
  for (const Unit &unit : units)
    if (unit.name == name) return &unit;
  return nullptr;
}

std::string with_fraction(std::int64_t value, std::int64_t unit, std::string_view name) {
  if (value % unit == 0) return fmt::format("{}{}", value / unit, name);
  std::string digits = std::to_string(unit + value % unit).substr(1);  // every unit here is a power of ten
  digits.erase(digits.find_last_not_of('0') + 1);
  return fmt::format("{}.{}{}", value / unit, digits, name);
}

constexpr std::string_view kDurationHint =
    "write for example 100ms, 30s or 1h30m: the units are d, h, m, s, ms, us and ns";
constexpr std::string_view kSizeHint = "write a number of bytes, or for example 64KiB, 16MiB or 1GiB";

tl::unexpected<Error> no_duration(std::string_view text) {
  return fail("", fmt::format("\"{}\" is not a duration", as_written(text)), std::string(kDurationHint));
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  std::int64_t sum = 0;
  std::int64_t smaller_than = std::numeric_limits<std::int64_t>::max();
  std::string_view rest = text;
  do {
    const auto decimal = take_decimal(rest);
    if (!decimal) return no_duration(text);
    const std::string_view name = take_letters(rest);
    if (name.empty() && rest.empty())
      return fail("", fmt::format("the duration {} has no unit", as_written(text)),
                  fmt::format("write {0}ms, {0}s, {0}m or {0}h", as_written(text)));
    const Unit *unit = find_unit(kDurationUnits, name);
    if (unit == nullptr || unit->factor >= smaller_than) return no_duration(text);
    smaller_than = unit->factor;
    const auto part = times(*decimal, unit->factor);
    if (!part || __builtin_add_overflow(sum, *part, &sum))
      return fail("", fmt::format("the duration {} is too long", as_written(text)),
                  "at most about 290 years can be counted");
  } while (!rest.empty());
  return Duration(sum);
}

std::string format_duration(Duration duration) {
  std::int64_t left = duration.count();
  if (left < 0) return left == std::numeric_limits<std::int64_t>::min() ? "-292y" : "-" + format_duration(-duration);
  if (left == 0) return "0s";
  if (left < 1000) return fmt::format("{}ns", left);
  if (left < 1'000'000) return with_fraction(left, 1000, "us");
  if (left < kSecond) return with_fraction(left, 1'000'000, "ms");
  std::string out;
  for (const Unit &unit : std::span(kDurationUnits).first(3)) {
    if (left >= unit.factor) out += fmt::format("{}{}", left / unit.factor, unit.name);
    left %= unit.factor;
  }
  return left == 0 ? out : out + with_fraction(left, kSecond, "s");
}

Result<std::int64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto decimal = take_decimal(rest);
  if (!decimal) return fail("", fmt::format("\"{}\" is not a size", as_written(text)), std::string(kSizeHint));
  if (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const Unit *unit = find_unit(kDecimalUnits, rest);
  if (unit == nullptr) unit = find_unit(kBinaryUnits, rest);
  if (unit == nullptr && rest.size() == 1)
    unit = find_unit(kBinaryUnits, (rest == "k" ? "K" : std::string(rest)) + "iB");
  if (unit == nullptr)
    return fail("", fmt::format("\"{}\" is not a size: \"{}\" is not a unit", as_written(text), as_written(rest)),
                std::string(kSizeHint));
  if (unit->factor == 1 && decimal->fraction != 0)
    return fail("", fmt::format("\"{}\" is not a whole number of bytes", as_written(text)), std::string(kSizeHint));
  const auto bytes = times(*decimal, unit->factor);
  if (!bytes)
    return fail("", fmt::format("the size {} is too large", as_written(text)), "at most 8191PiB can be counted");
  return *bytes;
}

std::string format_size(std::int64_t bytes) {
  for (const Unit &unit : kBinaryUnits)
    if (bytes != 0 && bytes % unit.factor == 0) return fmt::format("{}{}", bytes / unit.factor, unit.name);
  return std::to_string(bytes);
}

Result<Tolerance> parse_tolerance(std::string_view text) {
  const auto refuse = [&] {
    return fail("", fmt::format("\"{}\" is neither a count nor a percentage", as_written(text)),
                "write for example 3 or 0.5%");
  };
  if (text.empty() || !is_decimal(text.front())) return refuse();
  if (text.back() != '%') {
    const auto count = parse_integer(text);
    if (!count) return refuse();
    return Tolerance{*count, 0};
  }
  const auto percent = parse_number(text.substr(0, text.size() - 1));
  if (!percent) return refuse();
  if (*percent > 100) return fail("", fmt::format("{} is more than all", as_written(text)), "write at most 100%");
  return Tolerance{0, *percent};
}

std::string format_tolerance(const Tolerance &tolerance) {
  return tolerance.percent > 0 ? fmt::format("{}%", tolerance.percent) : std::to_string(tolerance.count);
}

Result<int> parse_signal(std::string_view text) {
  constexpr int kLast = 64;
  std::string wanted;
  for (const char c : text.substr(0, kMostWritten))
    wanted += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (!wanted.starts_with("SIG")) wanted.insert(0, "SIG");
  for (int number = 1; number <= kLast; ++number)
    if (wanted == signal_name(number)) return number;
  if (const auto number = parse_integer(text); number && *number >= 1 && *number <= kLast)
    return static_cast<int>(*number);
  return fail("", fmt::format("\"{}\" is not a signal", as_written(text)),
              "write a name such as TERM, INT or USR1, or a number from 1 to 64");
}

Result<std::uint32_t> parse_umask(std::string_view text) {
  constexpr std::uint32_t kMost = 0777;
  constexpr int kOctal = 8;
  const std::string_view digits = text.starts_with("0o") ? text.substr(2) : text;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, kOctal);
  if (error != std::errc() || end != digits.data() + digits.size() || value > kMost)
    return fail("", fmt::format("\"{}\" is not a umask", as_written(text)),
                "write three octal digits in quotes, as \"027\"");
  if ((value & 0700) != 0)
    return fail("", fmt::format("the umask \"{}\" would keep hostler from its own files", as_written(text)),
                "the first of its three digits must be 0, as in \"027\"");
  return value;
}

std::string format_umask(std::uint32_t umask) {
  return fmt::format("{:03o}", umask);
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range)
    return fail("", fmt::format("the number {} is too large", as_written(text)), "it must fit into 64 bits");
  if (error != std::errc() || end != digits.data() + digits.size() || (digits != text && digits.starts_with('-')))
    return fail("", fmt::format("\"{}\" is not a whole number", as_written(text)), "write digits only, as 4");
  return value;
}

Result<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return fail("", fmt::format("\"{}\" is not a number", as_written(text)), "write for example 2 or 0.5");
  return value;
}

}  // namespace hostler
