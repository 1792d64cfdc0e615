// What was read of a configuration the last time, so that an entry whose text is the same is not read again, wherever in
// its file it stands by now: a reload costs what has changed. Only of plain YAML, whose entries mean the same wherever they
// stand. Pure; one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/config_entry.h"
#include "core/config_files.h"
#include "core/plain_yaml.h"
#include "core/yaml_node.h"

namespace hostler {

// An entry, and what it asked of the disk when it was read.
struct KnownEntry {
  EntryDraft draft;
  std::vector<std::pair<std::string, std::string>> plugins;  // folder and name
  std::vector<std::string> folders;
  bool lasts = true;  // the answers can be asked for again: it would not be read otherwise now

  [[nodiscard]] bool is_still_so(ConfigFiles &files) const;
};

// Reads an entry and notes what it asks.
[[nodiscard]] Result<std::shared_ptr<const KnownEntry>> read_and_note(const Node &node, const Place &place,
                                                                      const EntryContext &context);

// The entries of one file, by their text.
class FileMemory {
 public:
  FileMemory() = default;
  explicit FileMemory(std::shared_ptr<const std::string> text) : text_(std::move(text)) {}

  [[nodiscard]] bool knows(std::string_view text) const { return entries_.contains(text); }
  // Nothing if it would be read otherwise now.
  [[nodiscard]] std::shared_ptr<const KnownEntry> find(std::string_view text, const EntryContext &context) const;
  // `text` lies within the text that this was made of.
  void remember(std::string_view text, const EntryContext &context, std::shared_ptr<const KnownEntry> entry);

 private:
  // What an entry depends on beside its text and the disk.
  struct Around {
    std::string plugins;
    std::string state;
    std::int32_t processors = 0;
    bool operator==(const Around &) const = default;
  };

  std::shared_ptr<const std::string> text_;  // the keys look at it
  Around around_;
  std::unordered_map<std::string_view, std::shared_ptr<const KnownEntry>> entries_;
};

using EntryMemory = std::map<std::string, FileMemory>;  // by the absolute path of the file

// The list `workers:` of a plain document.
struct PlainEntries {
  std::vector<PlainItem> items;
  std::vector<std::optional<Node>> nodes;  // one for each; nothing: the memory knows the text
};

// Parses what the memory does not know. Nothing: an item is no plain YAML.
[[nodiscard]] std::optional<PlainEntries> parse_unknown(std::vector<PlainItem> items, const FileMemory &memory);

}  // namespace hostler
