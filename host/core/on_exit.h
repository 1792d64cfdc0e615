// `on_exit:`, the ordered rules that override the table of exit statuses. Pure.
//
// A rule stands for one of the values that run() can return: a child that left in the way it names counts as if it had
// returned that value. So `done` for a slice is DONE with all that belongs to it (a slice that claims must have claimed
// all), and `retry` is a charged failure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/messages.h"

namespace hostler {

// "retry_later": as it is written; round-trips.
[[nodiscard]] std::string_view name(ExitAction action);
[[nodiscard]] std::optional<ExitAction> exit_action_from_name(std::string_view text);
[[nodiscard]] bool is_for_slices(ExitAction action);
[[nodiscard]] bool is_for_services(ExitAction action);

// What run() would have returned (plugin.h).
[[nodiscard]] std::int32_t counts_as(ExitAction action);

// The place of the first rule that names it, or nothing.
[[nodiscard]] std::optional<std::size_t> rule_for_code(std::span<const ExitRule> rules, std::int32_t code);
[[nodiscard]] std::optional<std::size_t> rule_for_signal(std::span<const ExitRule> rules, int signal);

// The same as a worker needs it: every code that a rule names, once.
[[nodiscard]] std::vector<CountedCode> counted_codes(std::span<const ExitRule> rules);

}  // namespace hostler
