#include "edge/config_yaml.h"

#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/config_builder.h"
#include "core/config_values.h"
#include "core/entry_memory.h"
#include "core/glob.h"
#include "core/plain_yaml.h"
#include "edge/disk_files.h"
#include "edge/file_list.h"
#include "edge/this_machine.h"
#include "edge/yaml_parser.h"

namespace hostler {
namespace {

constexpr std::string_view kWorkers = "workers";
constexpr std::int64_t kMostYaml = std::int64_t{16} << 20U;

std::int32_t processors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<std::int32_t>(std::max(1U, std::thread::hardware_concurrency()));
}

// One file, parsed but for the entries that are known by their text.
struct Document {
  std::shared_ptr<const std::string> text;
  Node root;
  PlainEntries entries;  // of `workers:`, if the file is plain YAML: in `root` the list is empty then
};

// `named` is where the file was named, or empty.
Result<std::string> read_text(const std::string &file, const std::string &named) {
  auto text = read_file(file, kMostYaml);
  if (text) return text;
  Error error = text.error();
  error.where = named.empty() ? file : named;
  if (!named.empty()) error.what = fmt::format("the file {} {}", in_quotes(file), error.what);
  if (named.empty() && !error.may_pass) error.hint = "name your configuration with -c FILE";
  return tl::unexpected(std::move(error));
}

Result<Document> read_document(const std::string &file, const std::string &named, const FileMemory &memory) {
  auto text = read_text(file, named);
  if (!text) return tl::unexpected(text.error());
  Document document;
  document.text = std::make_shared<const std::string>(std::move(*text));
  if (auto plain = cut_plain_yaml(*document.text, kWorkers)) {
    if (auto entries = parse_unknown(std::move(plain->items), memory)) {
      document.root = std::move(plain->root);
      document.entries = std::move(*entries);
      return document;
    }
  }
  auto root = parse_yaml(file, *document.text);
  if (!root) return tl::unexpected(root.error());
  document.root = std::move(*root);
  return document;
}

// The folder of a file: as it is named in messages, and absolute without symbolic links.
Result<Source> source_of(const std::string &file) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  const std::filesystem::path real = std::filesystem::canonical(folder.empty() ? "." : folder, error);
  if (error) return fail(file, "its folder cannot be reached: " + error.message());
  return Source{file, real.string()};
}

using FileId = std::pair<std::uint64_t, std::uint64_t>;  // device and inode

FileId id_of(const std::string &path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? FileId{info.st_dev, info.st_ino} : FileId{};
}

// The run through workers.yaml.
class ConfigReader {
 public:
  ConfigReader(Source source, std::string absolute, Machine &machine, EntryMemory *memory)
      : source_(std::move(source)), builder_(std::move(absolute), processors(), files_, machine), memory_(memory) {}

  Result<Config> read() {
    auto document = read_document(source_.file, "", former(source_));
    if (!document) return tl::unexpected(document.error());
    const Node &root = document->root;
    if (auto whole = check_top(root); !whole) return tl::unexpected(whole.error());
    if (auto host = builder_.read_host(member(root, "host"), source_); !host) return tl::unexpected(host.error());
    for (std::size_t i = 0; i + 1 < root.children.size(); i += 2) {
      const Node &key = root.children[i];
      Result<void> done;
      if (key.text == "include") done = include(root.children[i + 1]);
      if (key.text == kWorkers) done = add_workers(*document, root.children[i + 1], source_);
      if (!done) return tl::unexpected(done.error());
    }
    auto config = builder_.finish();
    if (config && memory_ != nullptr) *memory_ = std::move(now_);
    return config;
  }

  // Without a look at the entries, if the file can be cut at them.
  Result<std::string> read_state() {
    const auto text = read_text(source_.file, "");
    if (!text) return tl::unexpected(text.error());
    auto plain = cut_plain_yaml(*text, kWorkers);
    const Result<Node> root = plain ? std::move(plain->root) : parse_yaml(source_.file, *text);
    if (!root) return tl::unexpected(root.error());
    if (auto whole = check_top(*root); !whole) return tl::unexpected(whole.error());
    if (auto host = builder_.read_host(member(*root, "host"), source_); !host) return tl::unexpected(host.error());
    return builder_.host().state;
  }

 private:
  static std::string path_of(const Source &source) {
    return source.folder + "/" + std::filesystem::path(source.file).filename().string();
  }

  // What is known of a file from the last time.
  [[nodiscard]] const FileMemory &former(const Source &source) const {
    static const FileMemory none;
    if (memory_ == nullptr) return none;
    const auto found = memory_->find(path_of(source));
    return found == memory_->end() ? none : found->second;
  }

  Result<void> add_workers(const Document &document, const Node &workers, const Source &source) {
    if (document.entries.items.empty()) return builder_.add_entries(workers, source);
    FileMemory *now =
        memory_ == nullptr ? nullptr : &now_.emplace(path_of(source), FileMemory(document.text)).first->second;
    return builder_.add_entries(document.entries, source, former(source), now);
  }

  static const Node *member(const Node &map, std::string_view key) {
    for (std::size_t i = 0; i + 1 < map.children.size(); i += 2)
      if (map.children[i].text == key) return &map.children[i + 1];
    return nullptr;
  }

  Result<void> check_top(const Node &document) const {
    const Place root(source_);
    constexpr std::string_view kHint = "write workers: and below it - plugin: NAME.so";
    if (document.kind == Node::Kind::Null) return root.refuse(document.mark, "the file is empty", std::string(kHint));
    if (document.kind != Node::Kind::Map)
      return root.refuse(document.mark, "a map is expected, not " + describe(document), std::string(kHint));
    if (auto known = check_keys(document, source_, {"host", "include", "workers"}); !known) return known;
    if (member(document, kWorkers) == nullptr && member(document, "include") == nullptr)
      return root.refuse(document.mark, "\"workers\" is missing", std::string(kHint));
    return {};
  }

  static Result<void> check_keys(const Node &map, const Source &source, const std::vector<std::string_view> &known) {
    const Place root(source);
    for (std::size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const Node &key = map.children[i];
      if (std::ranges::find(known, key.text) == known.end()) return refuse_key(key, root.member(key.text), known, "");
    }
    return {};
  }

  // Patterns stay as they are written, so that messages name files as the user reaches them.
  Result<void> include(const Node &value) {
    const Place root(source_);
    const Place place = root.member("include");
    if (value.kind == Node::Kind::List && value.children.empty()) return {};
    const auto patterns = read_texts(value, place);
    if (!patterns) return tl::unexpected(patterns.error());
    for (std::size_t i = 0; i < patterns->size(); ++i) {
      const bool list = value.kind == Node::Kind::List;
      const Node &node = list ? value.children[i] : value;
      const Place inner = list ? place.item(static_cast<std::int64_t>(i)) : place;
      if (auto done = include_pattern((*patterns)[i], node.mark, inner); !done) return done;
    }
    return {};
  }

  Result<void> include_pattern(const std::string &written, const Mark &mark, const Place &place) {
    if (written.empty()) return place.refuse(mark, "the path is empty");
    if (written.starts_with("~")) return place.refuse(mark, "~ is not expanded", "write the whole path");
    const std::size_t slash = source_.file.rfind('/');
    const bool relative = !written.starts_with('/') && slash != std::string::npos;
    const std::string pattern = relative ? escape(source_.file.substr(0, slash + 1)) + written : written;
    const auto files = list_files(std::span(&pattern, 1), is_pattern(written) ? NoMatch::Allowed : NoMatch::Refused);
    if (!files) return place.refuse(mark, files.error());
    for (const Input &file : *files)
      if (auto done = include_file(file, mark, place); !done) return done;
    return {};
  }

  Result<void> include_file(const Input &file, const Mark &mark, const Place &place) {
    const FileId id{file.device, file.inode};
    if (id == id_of(source_.file))
      return place.refuse(mark, fmt::format("{} includes itself", in_quotes(file.path)),
                          "include files of a folder of their own, as workers.d/*.yaml");
    if (!included_.insert(id).second) return {};
    const auto source = source_of(file.path);
    if (!source) return place.refuse(mark, source.error());
    const auto document = read_document(file.path, place.where(mark), former(*source));
    if (!document) return tl::unexpected(document.error());
    const Node &map = document->root;
    const Place root(*source);
    constexpr std::string_view kHint = "an included file holds workers: and nothing else";
    if (map.kind != Node::Kind::Map)
      return root.refuse(map.mark,
                         map.kind == Node::Kind::Null ? "the file is empty" : "a map is expected, not " + describe(map),
                         std::string(kHint));
    for (std::size_t i = 0; i < map.children.size(); i += 2) {
      const Node &key = map.children[i];
      if (key.text != kWorkers)
        return root.member(key.text).refuse(
            key.mark, fmt::format("{} cannot stand in an included file", in_quotes(key.text)), std::string(kHint));
    }
    const Node *workers = member(map, kWorkers);
    if (workers == nullptr) return root.refuse(map.mark, "\"workers\" is missing", std::string(kHint));
    return add_workers(*document, *workers, *source);
  }

  Source source_;
  std::set<FileId> included_;
  DiskFiles files_;
  ConfigBuilder builder_;
  EntryMemory *memory_;  // of the last reading, or null
  EntryMemory now_;
};

// read(reader) with one for that file.
template <typename Read>
auto read_with(const std::string &path, Machine &machine, EntryMemory *memory, Read read)
    -> decltype(read(std::declval<ConfigReader &>())) {
  auto source = source_of(path);
  if (!source) return tl::unexpected(source.error());
  const std::string name = std::filesystem::path(path).filename();
  if (name.empty()) return fail(path, "is a folder", "name a file in it");
  const std::string absolute = (source->folder == "/" ? "" : source->folder) + "/" + name;
  ConfigReader reader(std::move(*source), absolute, machine, memory);
  return read(reader);
}

}  // namespace

Result<Config> read_config(const std::string &path, EntryMemory *memory) {
  ThisMachine machine;
  return read_config(path, machine, memory);
}

Result<Config> read_config(const std::string &path, Machine &machine, EntryMemory *memory) {
  return read_with(path, machine, memory, [](ConfigReader &reader) { return reader.read(); });
}

Result<std::string> read_state_folder(const std::string &path) {
  ThisMachine machine;
  return read_with(path, machine, nullptr, [](ConfigReader &reader) { return reader.read_state(); });
}

}  // namespace hostler
