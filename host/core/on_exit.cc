#include "core/on_exit.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hostler {
namespace {

constexpr std::array<std::pair<ExitAction, std::string_view>, 7> kActionNames{{{ExitAction::Done, "done"},
                                                                               {ExitAction::Retry, "retry"},
                                                                               {ExitAction::RetryLater, "retry_later"},
                                                                               {ExitAction::Quarantine, "quarantine"},
                                                                               {ExitAction::Restart, "restart"},
                                                                               {ExitAction::Reap, "reap"},
                                                                               {ExitAction::FailEntry, "fail_entry"}}};

template <typename T>
std::optional<std::size_t> first_with(std::span<const ExitRule> rules, const std::vector<T> ExitRule::*member,
                                      T wanted) {
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (std::ranges::find(rules[i].*member, wanted) != (rules[i].*member).end()) return i;
  return std::nullopt;
}

}  // namespace

std::string_view name(ExitAction action) {
  for (const auto &[each, text] : kActionNames)
    if (each == action) return text;
  return "";
}

std::optional<ExitAction> exit_action_from_name(std::string_view text) {
  for (const auto &[action, known] : kActionNames)
    if (known == text) return action;
  return std::nullopt;
}

bool is_for_services(ExitAction action) {
  return action == ExitAction::Restart || action == ExitAction::Reap || action == ExitAction::FailEntry;
}

bool is_for_slices(ExitAction action) {
  return action != ExitAction::Restart && action != ExitAction::Reap;
}

// The ABI's numbers (plugin.h), which core does not include.
std::int32_t counts_as(ExitAction action) {
  switch (action) {
    case ExitAction::Done:
    case ExitAction::Reap: return 0;
    case ExitAction::Quarantine: return 65;
    case ExitAction::Retry:
    case ExitAction::Restart: return 70;
    case ExitAction::RetryLater: return 75;
    case ExitAction::FailEntry: return 78;
  }
  return 70;
}

std::optional<std::size_t> rule_for_code(std::span<const ExitRule> rules, std::int32_t code) {
  return first_with(rules, &ExitRule::codes, code);
}

std::optional<std::size_t> rule_for_signal(std::span<const ExitRule> rules, int signal) {
  return first_with(rules, &ExitRule::signals, signal);
}

std::vector<CountedCode> counted_codes(std::span<const ExitRule> rules) {
  std::vector<CountedCode> counted;
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (const std::int32_t code : rules[i].codes)
      if (rule_for_code(rules, code) == i && std::ranges::find(counted, code, &CountedCode::code) == counted.end())
        counted.push_back({code, counts_as(rules[i].action), static_cast<std::int32_t>(i)});
  return counted;
}

}  // namespace hostler
