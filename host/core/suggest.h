// "Did you mean …": the nearest known word. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/error.h"

namespace hostler {

// The member of `known` with the fewest slips of the keyboard (a letter more, less, other or swapped with its
// neighbour; case and - for _ are free), or nothing when none is near. The first of equals.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known);

// "unknown key "cout" (did you mean "count"?)", or all that are known.
[[nodiscard]] Error unknown_key(std::string_view key, std::span<const std::string_view> known);

}  // namespace hostler
