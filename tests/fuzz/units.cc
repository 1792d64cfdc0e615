// Durations, sizes and the like: whatever is read can be written and read again as the same.
#include "core/units.h"

#include <cmath>

#include "fuzz.h"

namespace hostler {
namespace {

template <typename Parse, typename Format>
void round_trip(std::string_view text, Parse parse, Format format) {
  const auto value = parse(text);
  if (!value) return require(!value.error().what.empty(), "an error has words");
  const auto again = parse(format(*value));
  require(again && *again == *value, "parse(format(value)) == value");
}

}  // namespace
}  // namespace hostler

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace hostler;
  const std::string_view text = text_of(data, size);
  round_trip(text, parse_duration, format_duration);
  round_trip(text, parse_size, format_size);
  round_trip(text, parse_tolerance, format_tolerance);
  round_trip(text, parse_umask, format_umask);
  if (const auto signal = parse_signal(text)) require(*signal >= 1 && *signal <= 64, "a signal is one");
  if (const auto number = parse_number(text)) require(std::isfinite(*number), "a number is finite");
  if (const auto size_of = parse_size(text)) require(*size_of >= 0, "a size is not negative");
  (void)parse_integer(text);
  return 0;
}
