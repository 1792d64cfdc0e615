// `on_exit:` of an entry, from its node to rules. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/config.h"
#include "core/config_place.h"
#include "core/yaml_node.h"

namespace hostler {

// The rules, and where the action of each stands: whether it fits is known only when the kind of the entry is.
struct ExitRules {
  std::vector<ExitRule> rules;
  std::vector<std::string> where;
};

[[nodiscard]] Result<ExitRules> read_on_exit(const Node &node, const Place &place);
// Every rule has an action that this kind of entry knows.
[[nodiscard]] Result<void> check_actions(const ExitRules &rules, bool job);

// "workers[].on_exit[].codes", …
void append_on_exit_keys(std::vector<std::string> &keys);

}  // namespace hostler
