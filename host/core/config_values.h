// Reading one value of the configuration: from a node of the document to a number, a duration, a path …, or an error
// that says where it stands and what to write instead. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/config_place.h"
#include "core/error.h"
#include "core/yaml_node.h"

namespace hostler {

// Scalars. Text is taken as it is written, quoted or not; a number in quotes is no number.
[[nodiscard]] Result<std::string> read_text(const Node &node, const Place &place);
[[nodiscard]] Result<std::int64_t> read_integer(const Node &node, const Place &place, std::int64_t least,
                                                std::int64_t most);
[[nodiscard]] Result<double> read_number(const Node &node, const Place &place, double least, double most);
// 0 to ten years.
[[nodiscard]] Result<Duration> read_duration(const Node &node, const Place &place);
// At least 1.
[[nodiscard]] Result<std::int64_t> read_size(const Node &node, const Place &place);
[[nodiscard]] Result<Tolerance> read_tolerance(const Node &node, const Place &place);
// One that a process can handle: not KILL or STOP, nor one that would look like a crash.
[[nodiscard]] Result<int> read_stop_signal(const Node &node, const Place &place);
[[nodiscard]] Result<std::uint32_t> read_umask(const Node &node, const Place &place);

// A path, absolute: a relative one starts in the folder of its file. No shell: ~ is refused.
[[nodiscard]] Result<std::string> read_path(const Node &node, const Place &place);
// One text, or a list of at least one.
[[nodiscard]] Result<std::vector<std::string>> read_texts(const Node &node, const Place &place);
// The same for patterns of core/glob, made absolute as paths are.
[[nodiscard]] Result<std::vector<std::string>> read_patterns(const Node &node, const Place &place);

// "a list", "the text \"x\"", for "… is expected here, not …".
[[nodiscard]] std::string describe(const Node &node);
[[nodiscard]] Result<void> expect_map(const Node &node, const Place &place);
[[nodiscard]] Result<void> expect_list(const Node &node, const Place &place, std::string_view hint);

// One key that a map may have.
template <typename Target>
struct Field {
  using Read = Result<void> (*)(const Node &value, const Place &place, Target &target);
  std::string_view key;
  Read read = nullptr;            // nullptr: refused, because of
  std::string_view refusal = {};  // "is not supported yet", "belongs into input"
};
constexpr std::string_view kNotYet = "is not supported yet";

// For a key that `known` does not hold or refuses.
[[nodiscard]] tl::unexpected<Error> refuse_key(const Node &key, const Place &place,
                                               std::span<const std::string_view> known, std::string_view refusal);

// Reads a map in one pass, key by key in the order written; the first error ends it.
template <typename Target>
Result<void> read_map(const Node &node, const Place &place, std::span<const Field<Target>> fields, Target &target) {
  if (auto map = expect_map(node, place); !map) return map;
  for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
    const Node &key = node.children[i];
    const Place inner = place.member(key.text);
    const auto field = std::ranges::find(fields, std::string_view(key.text), &Field<Target>::key);
    if (field == fields.end() || field->read == nullptr) {
      std::vector<std::string_view> known;
      for (const auto &each : fields)
        if (each.read != nullptr) known.push_back(each.key);
      return refuse_key(key, inner, known, field == fields.end() ? "" : field->refusal);
    }
    if (auto value = field->read(node.children[i + 1], inner, target); !value) return value;
  }
  return {};
}

// Puts a value that was read where it belongs.
template <typename Value, typename Into>
Result<void> store(Result<Value> value, Into &into) {
  if (!value) return tl::unexpected<Error>(std::move(value.error()));
  into = static_cast<Into>(std::move(*value));
  return {};
}

// Appends "PREFIX.KEY" of all keys that are read.
template <typename Target>
void append_keys(std::string_view prefix, std::span<const Field<Target>> fields, std::vector<std::string> &keys) {
  for (const auto &field : fields)
    if (field.read != nullptr) keys.push_back(std::string(prefix) + std::string(field.key));
}

}  // namespace hostler
