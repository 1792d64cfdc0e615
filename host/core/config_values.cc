#include "core/config_values.h"

#include <array>
#include <csignal>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/exit_status.h"
#include "core/glob.h"
#include "core/suggest.h"
#include "core/units.h"

namespace hostler {
namespace {

constexpr Duration kLongestDuration = std::chrono::hours(24 * 3650);
constexpr std::array kUnfitSignals{SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
constexpr int kFirstOfTheCLibrary = 32;  // 32 and 33 are glibc's own
constexpr int kLastOfTheCLibrary = 33;

tl::unexpected<Error> refuse_type(const Node &node, const Place &place, std::string_view expected,
                                  std::string hint = {}) {
  if (node.kind == Node::Kind::Null)
    return place.refuse(node.mark, fmt::format("has no value, {} is expected", expected), std::move(hint));
  return place.refuse(node.mark, fmt::format("{} is expected, not {}", expected, describe(node)), std::move(hint));
}

Result<void> expect_scalar(const Node &node, const Place &place, std::string_view expected) {
  if (node.kind != Node::Kind::Scalar) return refuse_type(node, place, expected);
  return {};
}

// A scalar through one of core/units.
template <typename Value>
Result<Value> parse_scalar(const Node &node, const Place &place, std::string_view expected,
                           Result<Value> (*parse)(std::string_view)) {
  if (auto scalar = expect_scalar(node, place, expected); !scalar) return tl::unexpected(scalar.error());
  Result<Value> value = parse(node.text);
  if (!value) return place.refuse(node.mark, std::move(value.error()));
  return value;
}

Result<void> expect_unquoted(const Node &node, const Place &place, std::string_view expected) {
  if (node.kind != Node::Kind::Scalar || node.quoted) {
    const bool bare = node.kind == Node::Kind::Scalar && parse_number(node.text).has_value();
    return refuse_type(node, place, expected, bare ? "leave the quotes out" : "");
  }
  return {};
}

std::string range_words(std::string_view least, std::string_view most) {
  return fmt::format("write a number from {} to {}", least, most);
}

// Folds "./" and "../" at the front of `path`, which is safe: `folder` holds no symbolic link.
std::string join(std::string_view folder, std::string_view path) {
  while (true) {
    if (path.starts_with("./")) {
      path.remove_prefix(2);
    } else if (path == ".." || path.starts_with("../")) {
      path.remove_prefix(std::min<std::size_t>(path.size(), 3));
      const std::size_t slash = folder.rfind('/');
      folder = folder.substr(0, slash == std::string_view::npos ? 0 : slash);
    } else if (path.starts_with('/')) {
      path.remove_prefix(1);
    } else {
      break;
    }
  }
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || path == ".") return folder.empty() ? "/" : std::string(folder);
  return fmt::format("{}/{}", folder == "/" ? "" : folder, path);
}

Result<std::string> absolute_path(const Node &node, const Place &place, std::string_view folder) {
  if (auto scalar = expect_scalar(node, place, "a path"); !scalar) return tl::unexpected(scalar.error());
  if (node.text.empty()) return place.refuse(node.mark, "the path is empty", "write . for the folder of this file");
  if (node.text == "~" || node.text.starts_with("~/"))
    return place.refuse(node.mark, "~ is not expanded", "write the whole path, or ./~ for a folder of that name");
  return join(node.text.starts_with('/') ? "/" : folder, node.text);
}

template <typename Read>
Result<std::vector<std::string>> one_or_more(const Node &node, const Place &place, Read read) {
  std::vector<std::string> values;
  if (node.kind != Node::Kind::List) {
    auto value = read(node, place);
    if (!value) return tl::unexpected(value.error());
    values.push_back(std::move(*value));
    return values;
  }
  if (node.children.empty())
    return place.refuse(node.mark, "the list is empty", "name at least one, or leave the key out");
  values.reserve(node.children.size());
  for (const Node &child : node.children) {
    auto value = read(child, place.item(static_cast<std::int64_t>(values.size())));
    if (!value) return tl::unexpected(value.error());
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace

std::string describe(const Node &node) {
  switch (node.kind) {
    case Node::Kind::Null: return "nothing";
    case Node::Kind::Scalar: return node.quoted ? "the text " + in_quotes(node.text) : in_quotes(node.text);
    case Node::Kind::List: return "a list";
    case Node::Kind::Map: return "a map";
  }
  return {};
}

Result<void> expect_map(const Node &node, const Place &place) {
  if (node.kind != Node::Kind::Map) return refuse_type(node, place, "a map", "write KEY: VALUE, indented below it");
  return {};
}

Result<void> expect_list(const Node &node, const Place &place, std::string_view hint) {
  if (node.kind != Node::Kind::List) return refuse_type(node, place, "a list", std::string(hint));
  return {};
}

Result<std::string> read_text(const Node &node, const Place &place) {
  if (auto scalar = expect_scalar(node, place, "a text"); !scalar) return tl::unexpected(scalar.error());
  return node.text;
}

Result<std::int64_t> read_integer(const Node &node, const Place &place, std::int64_t least, std::int64_t most) {
  if (auto bare = expect_unquoted(node, place, "a whole number"); !bare) return tl::unexpected(bare.error());
  const auto value = parse_integer(node.text);
  if (!value) return place.refuse(node.mark, value.error());
  const std::string hint = most == std::numeric_limits<std::int64_t>::max()
                               ? fmt::format("write a number from {} on", least)
                               : range_words(std::to_string(least), std::to_string(most));
  if (*value < least) return place.refuse(node.mark, fmt::format("{} is too small", *value), hint);
  if (*value > most) return place.refuse(node.mark, fmt::format("{} is too large", *value), hint);
  return *value;
}

Result<double> read_number(const Node &node, const Place &place, double least, double most) {
  if (auto bare = expect_unquoted(node, place, "a number"); !bare) return tl::unexpected(bare.error());
  const auto value = parse_number(node.text);
  if (!value) return place.refuse(node.mark, value.error());
  const std::string hint = range_words(fmt::format("{}", least), fmt::format("{}", most));
  if (*value < least) return place.refuse(node.mark, fmt::format("{} is too small", *value), hint);
  if (*value > most) return place.refuse(node.mark, fmt::format("{} is too large", *value), hint);
  return *value;
}

Result<Duration> read_duration(const Node &node, const Place &place) {
  auto value = parse_scalar(node, place, "a duration", parse_duration);
  if (value && *value > kLongestDuration)
    return place.refuse(node.mark, fmt::format("{} is too long", in_quotes(node.text)), "write at most 3650d");
  return value;
}

Result<std::int64_t> read_size(const Node &node, const Place &place) {
  auto value = parse_scalar(node, place, "a size", parse_size);
  if (value && *value < 1) return place.refuse(node.mark, "0 bytes are too few", "write a size from 1 on");
  return value;
}

Result<Tolerance> read_tolerance(const Node &node, const Place &place) {
  return parse_scalar(node, place, "a number or a percentage", parse_tolerance);
}

Result<int> read_stop_signal(const Node &node, const Place &place) {
  auto value = parse_scalar(node, place, "a signal", parse_signal);
  if (!value) return value;
  if (std::ranges::find(kUnfitSignals, *value) != kUnfitSignals.end() ||
      (*value >= kFirstOfTheCLibrary && *value <= kLastOfTheCLibrary))
    return place.refuse(node.mark, fmt::format("{} cannot ask a worker to stop", signal_name(*value)),
                        "write TERM, INT, HUP, USR1 or USR2; when `grace` is over, KILL is sent anyway");
  return value;
}

Result<std::uint32_t> read_umask(const Node &node, const Place &place) {
  return parse_scalar(node, place, "a umask", parse_umask);
}

Result<std::string> read_path(const Node &node, const Place &place) {
  return absolute_path(node, place, place.source().folder);
}

Result<std::vector<std::string>> read_texts(const Node &node, const Place &place) {
  return one_or_more(node, place, read_text);
}

Result<std::vector<std::string>> read_patterns(const Node &node, const Place &place) {
  const std::string folder = escape(place.source().folder);
  return one_or_more(node, place,
                     [&](const Node &child, const Place &inner) { return absolute_path(child, inner, folder); });
}

tl::unexpected<Error> refuse_key(const Node &key, const Place &place, std::span<const std::string_view> known,
                                 std::string_view refusal) {
  if (refusal == kNotYet)
    return place.refuse(key.mark, fmt::format("{} is not supported yet", in_quotes(key.text)), "leave it out");
  if (!refusal.empty())
    return place.refuse(key.mark, fmt::format("unknown key {}", in_quotes(key.text)), std::string(refusal));
  return place.refuse(key.mark, unknown_key(key.text, known));
}

}  // namespace hostler
