// Stretches of a job's positions as people name them: by input and local positions, which stay what they are when a job
// is resumed and its inputs get other global numbers. A slice's public name is NAME.INPUT-BEGIN. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/slicing.h"

namespace hostler {

// One slice, a part of one, or a run of them that may go on in later inputs; or the merge.
struct SliceRange {
  bool merge = false;  // then all else is 0
  std::int32_t input = 0;
  std::int64_t begin = 0;       // local, in `input`
  std::int32_t last_input = 0;  // where it ends
  std::int64_t end = 0;         // local, in `last_input`
  std::int64_t slices = 0;      // how many of the plan it touches
  std::int64_t positions = 0;
  bool operator==(const SliceRange &) const = default;
};

// `global` is not empty, and lies within [0, positions()); or it is the merge: [positions(), positions() + 1).
[[nodiscard]] SliceRange range_of(const Manifest &plan, Interval global);

// "3-16777216", or "merge".
[[nodiscard]] std::string place_name(const SliceRange &range);

// The global position that "3-16777216", "NAME.3-16777216" or "merge" (positions()) names. An error when it is none of
// this job.
[[nodiscard]] Result<std::int64_t> position_of(const Manifest &plan, std::string_view job, std::string_view place);

// "NAME.3-16777216" in two.
struct SliceName {
  std::string job;
  std::string place;
};
[[nodiscard]] std::optional<SliceName> parse_slice_name(std::string_view text);

}  // namespace hostler
