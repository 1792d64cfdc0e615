// YAML text to core/yaml_node, with every bound that hostile text needs. The only place that knows yaml-cpp.
#pragma once

#include <string>

#include "core/error.h"
#include "core/yaml_node.h"

namespace hostler {

// `file` is only named in errors, as "FILE:LINE:COLUMN". Refused: what is not UTF-8 or holds NUL, more than one
// document, a key given twice, keys that are not plain text, tags other than YAML's own for text, lists and maps, an
// alias within what it names, nesting beyond some hundred levels, and what aliases blow up beyond two million values or
// 64 MiB. No text: a Null node. Merge keys (<<) are carried out. Blocking in proportion to the text; any thread.
[[nodiscard]] Result<Node> parse_yaml(const std::string &file, const std::string &text);

}  // namespace hostler
