#include "core/slice_range.h"

#include <charconv>

#include <fmt/format.h>

namespace hostler {
namespace {

constexpr std::string_view kMerge = "merge";

template <typename T>
bool parse_whole(std::string_view digits, T &value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size();
}

}  // namespace

SliceRange range_of(const Manifest &plan, Interval global) {
  SliceRange range;
  if (global.begin >= plan.positions()) {
    range.merge = true;
    return range;
  }
  const SliceSpan first = plan.slice_at(global.begin, global);
  const SliceSpan last = plan.slice_at(global.end - 1, global);
  range.input = first.input;
  range.begin = first.begin;
  range.last_input = last.input;
  range.end = last.end;
  range.slices = last.index - first.index + 1;
  range.positions = global.end - global.begin;
  return range;
}

std::string place_name(const SliceRange &range) {
  return range.merge ? std::string(kMerge) : fmt::format("{}-{}", range.input, range.begin);
}

Result<std::int64_t> position_of(const Manifest &plan, std::string_view job, std::string_view place) {
  const std::string_view given = place;
  if (place.starts_with(job) && place.substr(job.size()).starts_with(".")) place.remove_prefix(job.size() + 1);
  if (place == kMerge) return plan.positions();
  std::int32_t input = 0;
  std::int64_t begin = 0;
  const std::size_t dash = place.find('-');
  const bool read = dash != std::string_view::npos && parse_whole(place.substr(0, dash), input) &&
                    parse_whole(place.substr(dash + 1), begin);
  if (!read)
    return fail(std::string(given), "is no slice", "INPUT-BEGIN names one, as `hostler slices` shows it, or merge");
  if (input >= 0 && static_cast<std::size_t>(input) < plan.inputs().size()) {
    const std::int64_t offset = plan.offset(input);
    // begin - base in two steps: both may be anything.
    std::int64_t local = 0;
    if (!__builtin_sub_overflow(begin, plan.base(), &local) && local >= 0 && local < plan.extent(input))
      return offset + local;
  }
  return fail(std::string(given), fmt::format("is no slice of {}", job));
}

std::optional<SliceName> parse_slice_name(std::string_view text) {
  const std::size_t dot = text.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return std::nullopt;
  return SliceName{std::string(text.substr(0, dot)), std::string(text.substr(dot + 1))};
}

}  // namespace hostler
