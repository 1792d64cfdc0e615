// params: and env: of an entry. Pure.
#pragma once

#include <map>
#include <string>

#include "core/config_place.h"
#include "core/error.h"
#include "core/yaml_node.h"

namespace hostler {

// JSON on one line. Plain scalars that are numbers, true, false or null are so in JSON; quoted ones stay text. A number
// keeps its digits; what YAML calls a number and JSON cannot write (leading zeros, .inf) stays text.
[[nodiscard]] std::string to_json(const Node &node);

// Scalars as written, lists and maps as JSON.
[[nodiscard]] Result<std::map<std::string, std::string>> read_params(const Node &node, const Place &place);

// Refuses what would have no effect: a worker is forked, so what the dynamic linker and malloc read when a program
// starts has been read long before.
[[nodiscard]] Result<std::map<std::string, std::string>> read_env(const Node &node, const Place &place);

}  // namespace hostler
