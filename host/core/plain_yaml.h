// The YAML that most configurations are written in, read ten times as fast as by a library that knows all of YAML: a
// reload of a thousand entries spends most of its time there. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/yaml_node.h"

namespace hostler {

// Maps and lists in blocks, indented by spaces; plain texts of letters, digits and a few signs on one line; {} and [] on one
// line; comments on lines of their own. Nothing: the text has something else in it, or something wrong, which it takes
// YAML's full rules to tell; what is returned is what those would make of it.
[[nodiscard]] std::optional<Node> parse_plain_yaml(std::string_view text);

}  // namespace hostler
