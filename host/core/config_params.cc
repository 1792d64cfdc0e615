#include "core/config_params.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "core/config_values.h"
#include "core/template_messages.h"

namespace hostler {
namespace {

std::string_view take_digits(std::string_view &text) {
  const std::size_t n = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

// 0x1F and 0o17.
std::optional<std::string> based_number(std::string_view text) {
  const int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 0;
  if (base == 0) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::to_string(value);
}

// A number as JSON writes it, with the digits that stand in the file.
std::optional<std::string> json_number(std::string_view text) {
  if (auto based = based_number(text)) return based;
  std::string out;
  if (text.starts_with('-')) out = "-";
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const std::string_view whole = take_digits(text);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  if (whole.empty() && fraction.empty()) return std::nullopt;
  if (whole.size() > 1 && whole.front() == '0') return std::nullopt;
  out += whole.empty() ? "0" : whole;
  if (!fraction.empty()) out.append(".").append(fraction);
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    out += 'e';
    if (text.starts_with('-')) out += '-';
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    const std::string_view exponent = take_digits(text);
    if (exponent.empty()) return std::nullopt;
    out += exponent;
  }
  if (!text.empty()) return std::nullopt;
  return out;
}

void append_string(std::string_view text, std::string &out) {
  constexpr std::string_view kSpecial = "\"\\\n\r\t";
  constexpr std::string_view kEscapes = "\"\\nrt";
  out += '"';
  for (const char c : text) {
    if (const std::size_t i = kSpecial.find(c); i != std::string_view::npos)
      out.append("\\").append(1, kEscapes[i]);
    else if (static_cast<unsigned char>(c) < ' ')
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  out += '"';
}

// true, false and numbers, for a scalar without quotes.
std::optional<std::string> json_literal(std::string_view text) {
  if (text == "true" || text == "True" || text == "TRUE") return "true";
  if (text == "false" || text == "False" || text == "FALSE") return "false";
  return json_number(text);
}

void append_scalar(const Node &node, std::string &out) {
  const auto literal = node.quoted ? std::nullopt : json_literal(node.text);
  if (literal)
    out += *literal;
  else
    append_string(node.text, out);
}

// As deep as the document, which the parser has bounded.
void append_json(const Node &node, std::string &out) {
  switch (node.kind) {
    case Node::Kind::Null: out += "null"; return;
    case Node::Kind::Scalar: append_scalar(node, out); return;
    case Node::Kind::List:
      out += '[';
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        if (i > 0) out += ',';
        append_json(node.children[i], out);
      }
      out += ']';
      return;
    case Node::Kind::Map:
      out += '{';
      for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
        if (i > 0) out += ',';
        append_string(node.children[i].text, out);
        out += ':';
        append_json(node.children[i + 1], out);
      }
      out += '}';
      return;
  }
}

Result<void> check_variable(const Node &key, const Place &place) {
  const std::string &name = key.text;
  if (name.empty()) return place.refuse(key.mark, "the name of a variable is empty");
  if (name.find('=') != std::string::npos)
    return place.refuse(key.mark, "the name of a variable cannot hold =", "write NAME: VALUE");
  if (name.starts_with("LD_") || name == "GLIBC_TUNABLES" || name.starts_with("MALLOC_"))
    return place.refuse(key.mark, fmt::format("{} is read only when a program starts", in_quotes(name)),
                        "workers are forked from a running one: set it for hostler itself, before it starts");
  if (name.starts_with(kFleetMark.substr(0, kFleetMark.size() - 1)))
    return place.refuse(key.mark, fmt::format("{} is how hostler finds what workers have started", in_quotes(name)),
                        "take another name");
  return {};
}

}  // namespace

std::string to_json(const Node &node) {
  std::string out;
  append_json(node, out);
  return out;
}

Result<std::map<std::string, std::string>> read_params(const Node &node, const Place &place) {
  if (auto map = expect_map(node, place); !map) return tl::unexpected(map.error());
  std::map<std::string, std::string> params;
  for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const Node &key = node.children[i];
    const Node &value = node.children[i + 1];
    if (value.kind == Node::Kind::Null)
      return place.member(key.text).refuse(value.mark, "has no value",
                                           "write \"\" for an empty text, or leave the key out");
    params.emplace(key.text, value.kind == Node::Kind::Scalar ? value.text : to_json(value));
  }
  return params;
}

Result<std::map<std::string, std::string>> read_env(const Node &node, const Place &place) {
  if (auto map = expect_map(node, place); !map) return tl::unexpected(map.error());
  std::map<std::string, std::string> env;
  for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const Node &key = node.children[i];
    const Node &value = node.children[i + 1];
    const Place inner = place.member(key.text);
    if (auto name = check_variable(key, inner); !name) return tl::unexpected(name.error());
    if (value.kind == Node::Kind::Null)
      return inner.refuse(value.mark, "has no value", "write \"\" for an empty one, or leave the key out");
    auto text = read_text(value, inner);
    if (!text) return tl::unexpected(text.error());
    env.emplace(key.text, std::move(*text));
  }
  return env;
}

}  // namespace hostler
