#include "core/plugin_facts.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace hostler {
namespace {

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text;
}

bool parse_number(std::string_view text, std::int64_t &number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_flag(std::string_view text, bool &flag) {
  flag = text == "1";
  return text == "0" || text == "1";
}

bool parse_fact(std::string_view key, std::string_view value, PluginFacts &facts) {
  if (key == "id")
    facts.id = value;
  else if (key == "version")
    facts.version = value;
  else if (key == "abi")
    facts.abi = value;
  else if (key == "error")
    facts.error = value;
  else if (key == "flags")
    return parse_number(value, facts.flags);
  else if (key == "state_version")
    return parse_number(value, facts.state_version);
  else if (key == "prepare")
    return parse_flag(value, facts.has_prepare);
  else if (key == "passing")
    return parse_flag(value, facts.is_passing);
  else if (key == "merge")
    return parse_flag(value, facts.has_merge);
  else
    return false;
  return true;
}

}  // namespace

std::string format_facts(const PluginFacts &facts) {
  return fmt::format(
      "id {}\nversion {}\nabi {}\nflags {}\nstate_version {}\nprepare {}\nmerge {}\nerror {}\npassing {}\nend\n",
      one_line(facts.id), one_line(facts.version), one_line(facts.abi), facts.flags, facts.state_version,
      facts.has_prepare ? 1 : 0, facts.has_merge ? 1 : 0, one_line(facts.error), facts.is_passing ? 1 : 0);
}

Result<PluginFacts> parse_facts(std::string_view text) {
  PluginFacts facts;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    if (newline == std::string_view::npos) break;
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline + 1);
    if (line == "end" && text.empty()) return facts;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !parse_fact(line.substr(0, space), line.substr(space + 1), facts))
      return fail({}, fmt::format("\"{}\" is no fact of a plugin", line));
  }
  return fail({}, "the facts of a plugin break off");
}

}  // namespace hostler
