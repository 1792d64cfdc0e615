#include "core/config_on_exit.h"

#include <fmt/format.h>

#include "core/config_values.h"
#include "core/on_exit.h"
#include "core/units.h"

namespace hostler {
namespace {

constexpr std::int64_t kMostCode = 255;
constexpr std::string_view kForSlices = "write done, retry, retry_later, quarantine or fail_entry";
constexpr std::string_view kForServices = "write restart, reap or fail_entry";

struct RuleDraft {
  ExitRule rule;
  std::string action_where;  // empty: there is none yet
};

// One value, or a list of at least one.
template <typename Value, typename Read>
Result<void> read_some(const Node &node, const Place &place, std::vector<Value> &values, Read read) {
  if (node.kind != Node::Kind::List) return store(read(node, place), values.emplace_back());
  if (node.children.empty())
    return place.refuse(node.mark, "the list is empty", "name at least one, or leave the key out");
  for (std::size_t i = 0; i < node.children.size(); ++i)
    if (auto one = store(read(node.children[i], place.item(static_cast<std::int64_t>(i))), values.emplace_back()); !one)
      return one;
  return {};
}

Result<std::int64_t> read_code(const Node &node, const Place &place) {
  if (node.kind == Node::Kind::Scalar && node.text.find('-', 1) != std::string::npos)
    return place.refuse(node.mark, fmt::format("{} is not a code", in_quotes(node.text)),
                        "list each of them, as [1, 2, 3]");
  return read_integer(node, place, 0, kMostCode);
}

Result<int> read_signal(const Node &node, const Place &place) {
  auto text = read_text(node, place);
  if (!text) return tl::unexpected(text.error());
  auto signal = parse_signal(*text);
  if (!signal) return place.refuse(node.mark, std::move(signal.error()));
  return signal;
}

Result<void> read_action(const Node &node, const Place &place, RuleDraft &draft) {
  auto text = read_text(node, place);
  if (!text) return tl::unexpected(text.error());
  const auto action = exit_action_from_name(*text);
  if (!action)
    return place.refuse(node.mark, fmt::format("{} is not known", in_quotes(*text)),
                        fmt::format("for a job {}; for a service {}", kForSlices, kForServices));
  draft.rule.action = *action;
  draft.action_where = place.where(node.mark);
  return {};
}

constexpr Field<RuleDraft> kRuleFields[] = {
    {"codes", [](const Node &value, const Place &place,
                 RuleDraft &draft) { return read_some(value, place, draft.rule.codes, read_code); }},
    {"signals", [](const Node &value, const Place &place,
                   RuleDraft &draft) { return read_some(value, place, draft.rule.signals, read_signal); }},
    {"do", read_action},
};

}  // namespace

Result<ExitRules> read_on_exit(const Node &node, const Place &place) {
  if (auto list = expect_list(node, place, "write a list of rules below it: - {codes: [3], do: retry}"); !list)
    return tl::unexpected(list.error());
  ExitRules rules;
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const Node &child = node.children[i];
    const Place inner = place.item(static_cast<std::int64_t>(i));
    RuleDraft draft;
    if (auto map = read_map<RuleDraft>(child, inner, kRuleFields, draft); !map) return tl::unexpected(map.error());
    if (draft.rule.codes.empty() && draft.rule.signals.empty())
      return inner.refuse(child.mark, "the rule matches nothing", "write codes: [3] or signals: [SEGV], or both");
    if (draft.action_where.empty())
      return inner.refuse(child.mark, "\"do\" is missing", "write what to do: do: fail_entry");
    rules.rules.push_back(std::move(draft.rule));
    rules.where.push_back(std::move(draft.action_where));
  }
  return rules;
}

Result<void> check_actions(const ExitRules &rules, bool job) {
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const ExitAction action = rules.rules[i].action;
    if (job ? is_for_slices(action) : is_for_services(action)) continue;
    return fail(rules.where[i],
                job ? fmt::format("\"{}\" is for services, and this entry is a job", name(action))
                    : fmt::format("\"{}\" is for jobs, and this entry is a service: it has no input", name(action)),
                std::string(job ? kForSlices : kForServices));
  }
  return {};
}

void append_on_exit_keys(std::vector<std::string> &keys) {
  append_keys<RuleDraft>("workers[].on_exit[].", kRuleFields, keys);
}

}  // namespace hostler
