// A YAML document as plain data: what edge/yaml_parser gives and the config_ readers take. Aliases and merge keys (<<)
// are resolved, keys are unique, every text is UTF-8 without NUL.
#pragma once

#include <string>
#include <vector>

namespace hostler {

// Both from 1; columns count bytes.
struct Mark {
  int line = 1;
  int column = 1;
  bool operator==(const Mark &) const = default;
};

struct Node {
  enum class Kind { Null, Scalar, List, Map };
  Kind kind = Kind::Null;
  bool quoted = false;         // Scalar: is text, whatever it looks like
  Mark mark;                   // a Null member of a map has the mark of its key
  std::string text;            // Scalar
  std::vector<Node> children;  // List: the items; Map: key, value, key, value …, each key a Scalar
};

}  // namespace hostler
