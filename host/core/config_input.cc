// input: of an entry, see config_entry.h.
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "core/config_entry.h"
#include "core/config_values.h"

namespace hostler {
namespace {

constexpr std::int64_t kMostPositions = std::numeric_limits<std::int64_t>::max();

struct InputDraft {
  InputConfig input;
  ConfigFiles *files = nullptr;
  std::string kind_key;  // as written
  const Node *slice = nullptr;
};

Result<void> set_kind(InputKind kind, const Node &value, const Place &place, std::string_view key, InputDraft &draft) {
  if (!draft.kind_key.empty())
    return place.refuse(value.mark, fmt::format("the input is already given by \"{}\"", draft.kind_key),
                        "an entry has one kind of input; write a second entry for the other");
  draft.kind_key = key;
  draft.input.kind = kind;
  return {};
}

Result<void> read_lines(const Node &value, const Place &place, InputDraft &draft) {
  if (auto one = set_kind(InputKind::Lines, value, place, "lines", draft); !one) return one;
  return store(read_patterns(value, place), draft.input.patterns);
}

Result<void> read_whole_files(const Node &value, const Place &place, InputDraft &draft) {
  if (auto one = set_kind(InputKind::File, value, place, "files", draft); !one) return one;
  return store(read_patterns(value, place), draft.input.patterns);
}

Result<void> read_record_size(const Node &value, const Place &place, InputConfig &input) {
  return store(read_size(value, place), input.record_size);
}
constexpr Field<InputConfig> kRecordFields[] = {
    {"files", [](const Node &value, const Place &place,
                 InputConfig &input) { return store(read_patterns(value, place), input.patterns); }},
    {"size", read_record_size},
};

bool has_key(const Node &map, std::string_view key) {
  for (std::size_t i = 0; i + 1 < map.children.size(); i += 2)
    if (map.children[i].text == key) return true;
  return false;
}

Result<void> read_records(const Node &value, const Place &place, InputDraft &draft) {
  if (auto one = set_kind(InputKind::Records, value, place, "records", draft); !one) return one;
  constexpr std::string_view kHint = "write records: {files: [\"*.bin\"], size: 128}";
  if (value.kind != Node::Kind::Map)
    return place.refuse(value.mark, "a map is expected, not " + describe(value), std::string(kHint));
  if (auto map = read_map<InputConfig>(value, place, kRecordFields, draft.input); !map) return map;
  for (const std::string_view key : {"files", "size"})
    if (!has_key(value, key))
      return place.refuse(value.mark, fmt::format("\"{}\" is missing", key), std::string(kHint));
  return {};
}

constexpr Field<InputConfig> kRangeFields[] = {
    {"begin", [](const Node &value, const Place &place,
                 InputConfig &input) { return store(read_integer(value, place, 0, kMostPositions), input.begin); }},
    {"end", [](const Node &value, const Place &place,
               InputConfig &input) { return store(read_integer(value, place, 0, kMostPositions), input.end); }},
};

Result<void> read_range(const Node &value, const Place &place, InputDraft &draft) {
  if (auto one = set_kind(InputKind::Range, value, place, "range", draft); !one) return one;
  constexpr std::string_view kHint = "write range: {begin: 0, end: 1000}; end is one past the last";
  if (value.kind != Node::Kind::Map)
    return place.refuse(value.mark, "a map is expected, not " + describe(value), std::string(kHint));
  if (auto map = read_map<InputConfig>(value, place, kRangeFields, draft.input); !map) return map;
  if (!has_key(value, "end")) return place.refuse(value.mark, "\"end\" is missing", std::string(kHint));
  if (draft.input.begin > draft.input.end)
    return place.refuse(value.mark, fmt::format("begin {} is behind end {}", draft.input.begin, draft.input.end),
                        std::string(kHint));
  return {};
}

Result<void> read_item_list(const Node &value, const Place &place, InputDraft &draft) {
  if (auto one = set_kind(InputKind::Items, value, place, "items", draft); !one) return one;
  if (auto list = expect_list(value, place, "write items: [a, b, c], or name a file with items_file"); !list)
    return list;
  return store(read_texts(value, place), draft.input.items);
}

Result<void> read_items_file(const Node &value, const Place &place, InputDraft &draft) {
  if (auto one = set_kind(InputKind::Items, value, place, "items_file", draft); !one) return one;
  if (auto path = store(read_path(value, place), draft.input.items_file); !path) return path;
  auto items = draft.files->read_items(draft.input.items_file);
  if (!items) return place.refuse(value.mark, std::move(items.error()));
  draft.input.items = std::move(*items);
  return {};
}

// What it means depends on the kind, which may stand below it.
Result<void> keep_slice(const Node &value, const Place &, InputDraft &draft) {
  draft.slice = &value;
  return {};
}

constexpr Field<InputDraft> kInputFields[] = {
    {"lines", read_lines},     {"records", read_records}, {"files", read_whole_files},     {"range", read_range},
    {"items", read_item_list}, {"slice", keep_slice},     {"items_file", read_items_file},
};

Result<void> read_slice(const Node &value, const Place &place, InputConfig &input) {
  switch (input.kind) {
    case InputKind::Lines: return store(read_size(value, place), input.slice);
    case InputKind::Records:
      if (auto size = store(read_size(value, place), input.slice); !size) return size;
      if (input.slice < input.record_size)
        return place.refuse(value.mark,
                            fmt::format("a slice of {} bytes holds no record of {}", input.slice, input.record_size),
                            "write at least the size of one record");
      return {};
    case InputKind::Range:
    case InputKind::Items: return store(read_integer(value, place, 1, kMostPositions), input.slice);
    case InputKind::File:
      return place.refuse(value.mark, "does not go with \"files\": each file is one slice", "leave it out");
    case InputKind::None: break;
  }
  return {};
}

}  // namespace

Result<InputConfig> read_input(const Node &node, const Place &place, ConfigFiles &files) {
  constexpr std::string_view kHint =
      "write one of lines, records, files, range, items, items_file; or leave input out for a service";
  if (node.kind != Node::Kind::Map) {
    const std::string_view found = node.kind == Node::Kind::Null ? "has no value" : "a map is expected, not ";
    return place.refuse(
        node.mark, std::string(found) + (node.kind == Node::Kind::Null ? "" : describe(node)),
        node.kind == Node::Kind::Null ? std::string(kHint) : "write for example input: {lines: \"data/*.txt\"}");
  }
  InputDraft draft;
  draft.files = &files;
  if (auto map = read_map<InputDraft>(node, place, kInputFields, draft); !map) return tl::unexpected(map.error());
  if (draft.kind_key.empty()) return place.refuse(node.mark, "says not what the input is", std::string(kHint));
  if (draft.slice != nullptr)
    if (auto slice = read_slice(*draft.slice, place.member("slice"), draft.input); !slice)
      return tl::unexpected(slice.error());
  return std::move(draft.input);
}

void append_input_keys(std::vector<std::string> &keys) {
  append_keys<InputDraft>("workers[].input.", kInputFields, keys);
  append_keys<InputConfig>("workers[].input.records.", kRecordFields, keys);
  append_keys<InputConfig>("workers[].input.range.", kRangeFields, keys);
}

}  // namespace hostler
