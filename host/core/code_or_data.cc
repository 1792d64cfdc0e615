#include "core/code_or_data.h"

#include <algorithm>

#include <fmt/format.h>

namespace hostler {
namespace {

constexpr std::int64_t kEnough = 5;
constexpr std::size_t kSlices = 3;

std::int64_t enough(std::int32_t count) {
  return std::max<std::int64_t>(kEnough, count);
}

}  // namespace

void CodeOrData::begin_anew(const std::string &build) {
  *this = {};
  build_ = build;
}

void CodeOrData::crashed(std::int64_t slice) {
  if (is_proven_) return;
  ++crashes_;
  if (slices_.size() < kSlices) slices_.insert(slice);
}

bool CodeOrData::may_begin(std::int64_t at_work, std::int32_t count) const {
  return !is_suspicious() || crashes_ >= enough(count) || crashes_ + at_work < enough(count);
}

std::optional<std::string> CodeOrData::verdict(std::int32_t count) const {
  if (is_proven_ || crashes_ < enough(count) || slices_.size() < kSlices) return std::nullopt;
  return fmt::format(
      "the code, not the data: {} attempts on different slices crashed before they were past their first claim, and "
      "none was done with this build",
      crashes_);
}

}  // namespace hostler
