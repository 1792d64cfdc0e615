#include "core/glob.h"

#include <array>
#include <cstdint>
#include <optional>

namespace hostler {
namespace {

// The first character and how many bytes it takes.
struct Character {
  std::uint32_t code = 0;
  std::size_t size = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(0);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (size == 1 || size > text.size()) return {lead, 1};
  std::uint32_t code = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {lead, 1};
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  return {code, size};
}

bool between(std::uint32_t c, char low, char high) {
  return c >= static_cast<unsigned char>(low) && c <= static_cast<unsigned char>(high);
}
bool is_alpha(std::uint32_t c) {
  return between(c, 'a', 'z') || between(c, 'A', 'Z');
}
bool is_digit(std::uint32_t c) {
  return between(c, '0', '9');
}

struct NamedClass {
  std::string_view name;  // as written, with its brackets
  bool (*holds)(std::uint32_t);
};
constexpr std::array kClasses{
    NamedClass{"[:alpha:]", is_alpha},
    NamedClass{"[:digit:]", is_digit},
    NamedClass{"[:alnum:]", [](std::uint32_t c) { return is_alpha(c) || is_digit(c); }},
    NamedClass{"[:lower:]", [](std::uint32_t c) { return between(c, 'a', 'z'); }},
    NamedClass{"[:upper:]", [](std::uint32_t c) { return between(c, 'A', 'Z'); }},
    NamedClass{"[:space:]", [](std::uint32_t c) { return c == ' ' || between(c, '\t', '\r'); }},
    NamedClass{"[:punct:]", [](std::uint32_t c) { return between(c, '!', '~') && !is_alpha(c) && !is_digit(c); }},
    NamedClass{"[:xdigit:]",
               [](std::uint32_t c) { return is_digit(c) || between(c, 'a', 'f') || between(c, 'A', 'F'); }},
};

const NamedClass *named_class_at(std::string_view text) {
  for (const NamedClass &named : kClasses)
    if (text.starts_with(named.name)) return &named;
  return nullptr;
}

// One character of a bracket expression, escaped or not.
std::optional<std::uint32_t> take_member(std::string_view &rest) {
  if (rest.starts_with('\\')) rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  const Character c = first_character(rest);
  rest.remove_prefix(c.size);
  return c.code;
}

struct Bracket {
  bool holds = false;
  std::size_t size = 0;  // bytes of the pattern; 0: not closed, so a plain [
};

// `pattern` begins with '['.
Bracket match_bracket(std::string_view pattern, std::uint32_t c) {
  std::string_view rest = pattern.substr(1);
  const bool negated = rest.starts_with('!') || rest.starts_with('^');
  if (negated) rest.remove_prefix(1);
  bool found = false;
  for (bool first = true; !rest.empty(); first = false) {
    if (rest.front() == ']' && !first) return {found != negated, pattern.size() - rest.size() + 1};
    if (const NamedClass *named = named_class_at(rest)) {
      found = found || named->holds(c);
      rest.remove_prefix(named->name.size());
      continue;
    }
    const auto low = take_member(rest);
    if (!low) break;
    auto high = low;
    if (rest.size() >= 2 && rest[0] == '-' && rest[1] != ']') {
      rest.remove_prefix(1);
      high = take_member(rest);
      if (!high) break;
    }
    found = found || (c >= *low && c <= *high);
  }
  return {};
}

// Matches the first element of the pattern, which is no *, against the first character of the name.
// Takes both off when it does.
bool take_one(std::string_view &pattern, std::string_view &name) {
  if (pattern.empty() || name.empty()) return false;
  const Character c = first_character(name);
  std::size_t used = 0;
  if (pattern.front() == '?') {
    used = 1;
  } else if (const Bracket bracket = pattern.front() == '[' ? match_bracket(pattern, c.code) : Bracket{};
             bracket.size > 0) {
    used = bracket.holds ? bracket.size : 0;
  } else {
    const std::size_t escape = pattern.front() == '\\' && pattern.size() > 1 ? 1 : 0;
    const std::string_view literal = pattern.substr(escape);
    const std::size_t size = first_character(literal).size;
    used = literal.substr(0, size) == name.substr(0, c.size) ? escape + size : 0;
  }
  if (used == 0) return false;
  pattern.remove_prefix(used);
  name.remove_prefix(c.size);
  return true;
}

bool dots_agree(std::string_view component, std::string_view name) {
  return !name.starts_with('.') || component.starts_with('.') || component.starts_with("\\.");
}

void append(PathPattern &pattern, std::string_view component) {
  using Kind = PatternComponent::Kind;
  if (component.empty() || component == ".") return;
  if (component == "**") {
    if (pattern.components.empty() || pattern.components.back().kind != Kind::AnyDepth)
      pattern.components.push_back({Kind::AnyDepth, "**"});
  } else if (is_pattern(component)) {
    pattern.components.push_back({Kind::Wildcard, std::string(component)});
  } else if (!pattern.components.empty()) {
    pattern.components.push_back({Kind::Literal, unescape(component)});
  } else {
    if (!pattern.root.empty() && pattern.root != "/") pattern.root += '/';
    pattern.root += unescape(component);
  }
}

}  // namespace

bool is_pattern(std::string_view path) {
  const auto is_bracket = [&](std::size_t i) {
    return path[i] == '[' && match_bracket(path.substr(i, path.find('/', i) - i), 0).size > 0;
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\')
      ++i;
    else if (path[i] == '*' || path[i] == '?' || is_bracket(i))
      return true;
  }
  return false;
}

std::string unescape(std::string_view path) {
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 1 < path.size()) ++i;
    plain += path[i];
  }
  return plain;
}

std::string escape(std::string_view path) {
  constexpr std::string_view kSpecial = "*?[\\";
  std::string pattern;
  for (const char c : path) {
    if (kSpecial.find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

bool matches(std::string_view component, std::string_view name) {
  if (!dots_agree(component, name)) return false;
  std::optional<std::string_view> after_star;  // the pattern behind the last *, and where its match was last tried
  std::string_view retry;
  while (!name.empty()) {
    if (component.starts_with('*')) {
      component.remove_prefix(1);
      after_star = component;
      retry = name;
    } else if (!take_one(component, name)) {
      if (!after_star) return false;
      retry.remove_prefix(first_character(retry).size);
      name = retry;
      component = *after_star;
    }
  }
  return component.find_first_not_of('*') == std::string_view::npos;
}

PathPattern split_pattern(std::string_view path) {
  PathPattern pattern;
  if (path.starts_with('/')) pattern.root += '/';
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    append(pattern, path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  using Kind = PatternComponent::Kind;
  if (!pattern.components.empty() && pattern.components.back().kind == Kind::AnyDepth)
    pattern.components.push_back({Kind::Wildcard, "*"});
  return pattern;
}

}  // namespace hostler
