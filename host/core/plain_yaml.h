// The YAML that most configurations are written in, read ten times as fast as by a library that knows all of YAML, and cut
// at the entries, each of which can be read, or left alone, by itself. Pure.
//
// It is: maps and lists in blocks, indented by spaces; plain texts of letters, digits and a few signs on one line; {} and
// [] on one line; comments on lines of their own. Nothing comes back of a text that has something else in it, or something
// wrong, which it takes YAML's full rules to tell; what comes back is what those would make of it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/yaml_node.h"

namespace hostler {

// An item of a list: whole lines, from its own to where the next one begins.
struct PlainItem {
  std::string_view text;
  int line = 1;  // its first one
};

struct PlainDocument {
  Node root;
  std::vector<PlainItem>
      items;  // of the one list, which is empty in `root`; not looked at yet, each may be no plain YAML
};

// `list` is the key of the list, in the outermost map, whose items are cut out.
[[nodiscard]] std::optional<PlainDocument> cut_plain_yaml(std::string_view text, std::string_view list);

// The lines of its marks count from the item's own, which is 1.
[[nodiscard]] std::optional<Node> parse_plain_item(std::string_view text);

}  // namespace hostler
