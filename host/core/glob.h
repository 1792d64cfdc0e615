// File name patterns as the configuration writes them: * ? [a-z] [!a-z] [[:digit:]] within one component, ** for any
// number of folders, \ before a character that is meant literally. Pure: edge/file_list looks at the disk.
// Characters are UTF-8; a byte that is not counts as one character.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hostler {

// Whether it has a wildcard at all; otherwise it is the plain path unescape(path).
[[nodiscard]] bool is_pattern(std::string_view path);
[[nodiscard]] std::string unescape(std::string_view path);
// The pattern that means this path and no other.
[[nodiscard]] std::string escape(std::string_view path);

// Whether a file name matches one component of a pattern. A name that begins with a dot is matched only by a component
// that begins with one. Never more than name × pattern steps.
[[nodiscard]] bool matches(std::string_view component, std::string_view name);

struct PatternComponent {
  enum class Kind { Literal, Wildcard, AnyDepth };
  Kind kind = Kind::Literal;
  std::string text;  // Literal: already unescaped
  bool operator==(const PatternComponent &) const = default;
};

struct PathPattern {
  std::string root;                          // the plain folder that it begins in: "/a/b", "/", "" for the current one
  std::vector<PatternComponent> components;  // below root, the first is no Literal. ** ** is one; ** at the end is **/*
};

// Splits a path at its slashes. For a path without a wildcard, components is empty and root the whole.
[[nodiscard]] PathPattern split_pattern(std::string_view path);

}  // namespace hostler
