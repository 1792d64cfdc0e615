#include "core/entry_memory.h"

#include <algorithm>

namespace hostler {
namespace {

// Passes questions on. What is answered by anything else than "good" makes reading fail, so only that needs to be asked again.
class NotedFiles final : public ConfigFiles {
 public:
  NotedFiles(ConfigFiles &files, KnownEntry &entry) : files_(files), entry_(entry) {}

  Result<void> check_plugin(const std::string &folder, const std::string &name) override {
    entry_.plugins.emplace_back(folder, name);
    return files_.check_plugin(folder, name);
  }
  Result<void> check_folder(const std::string &path) override {
    entry_.folders.push_back(path);
    return files_.check_folder(path);
  }
  Result<void> check_room_for_folder(const std::string &path) override {
    entry_.lasts = false;
    return files_.check_room_for_folder(path);
  }
  Result<std::vector<std::string>> read_items(const std::string &path) override {
    entry_.lasts = false;
    return files_.read_items(path);
  }
  std::string real_path(const std::string &path) override {
    entry_.lasts = false;
    return files_.real_path(path);
  }

 private:
  ConfigFiles &files_;
  KnownEntry &entry_;
};

// Users and powers may be others at any time.
class NotedMachine final : public Machine {
 public:
  NotedMachine(Machine &machine, KnownEntry &entry) : machine_(machine), entry_(entry) {}

  const Powers &powers() override {
    entry_.lasts = false;
    return machine_.powers();
  }
  Result<User> find_user(const std::string &name) override {
    entry_.lasts = false;
    return machine_.find_user(name);
  }

 private:
  Machine &machine_;
  KnownEntry &entry_;
};

}  // namespace

bool KnownEntry::is_still_so(ConfigFiles &files) const {
  return std::ranges::all_of(
             plugins, [&](const auto &each) { return files.check_plugin(each.first, each.second).has_value(); }) &&
         std::ranges::all_of(folders, [&](const std::string &each) { return files.check_folder(each).has_value(); });
}

Result<std::shared_ptr<const KnownEntry>> read_and_note(const Node &node, const Place &place,
                                                        const EntryContext &context) {
  auto entry = std::make_shared<KnownEntry>();
  NotedFiles files(context.files, *entry);
  NotedMachine machine(context.machine, *entry);
  auto draft = read_entry(node, place, {context.host, context.processors, files, machine});
  if (!draft) return tl::unexpected(draft.error());
  entry->draft = std::move(*draft);
  return entry;
}

std::shared_ptr<const KnownEntry> FileMemory::find(std::string_view text, const EntryContext &context) const {
  if (around_ != Around{context.host.plugins, context.host.state, context.processors}) return nullptr;
  const auto found = entries_.find(text);
  return found != entries_.end() && found->second->is_still_so(context.files) ? found->second : nullptr;
}

void FileMemory::remember(std::string_view text, const EntryContext &context, std::shared_ptr<const KnownEntry> entry) {
  if (!entry->lasts) return;
  if (entries_.empty()) around_ = {context.host.plugins, context.host.state, context.processors};
  entries_.emplace(text, std::move(entry));
}

std::optional<PlainEntries> parse_unknown(std::vector<PlainItem> items, const FileMemory &memory) {
  PlainEntries entries{std::move(items), {}};
  entries.nodes.reserve(entries.items.size());
  for (const PlainItem &item : entries.items) {
    auto &node = entries.nodes.emplace_back();
    if (memory.knows(item.text)) continue;
    node = parse_plain_item(item.text);
    if (!node) return std::nullopt;
  }
  return entries;
}

}  // namespace hostler
