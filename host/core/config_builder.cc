#include "core/config_builder.h"

#include <algorithm>
#include <span>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "core/config_values.h"
#include "core/suggest.h"

namespace hostler {
namespace {

constexpr std::int64_t kSmallestLog = 4096;
constexpr std::int32_t kMostLogsKept = 1000;

Result<void> read_log_size(const Node &value, const Place &place, LogConfig &logs) {
  auto size = read_size(value, place);
  if (size && *size < kSmallestLog)
    return place.refuse(value.mark, fmt::format("{} is too small for a log file", in_quotes(value.text)),
                        "write at least 4KiB");
  return store(std::move(size), logs.size);
}

constexpr Field<LogConfig> kLogFields[] = {
    {"size", read_log_size},
    {"keep", [](const Node &value, const Place &place,
                LogConfig &logs) { return store(read_integer(value, place, 0, kMostLogsKept), logs.keep); }},
};

constexpr Field<HostConfig> kHostFields[] = {
    {"plugins", [](const Node &value, const Place &place,
                   HostConfig &host) { return store(read_path(value, place), host.plugins); }},
    {"state", [](const Node &value, const Place &place,
                 HostConfig &host) { return store(read_path(value, place), host.state); }},
    {"umask", [](const Node &value, const Place &place,
                 HostConfig &host) { return store(read_umask(value, place), host.umask); }},
    {"logs", [](const Node &value, const Place &place,
                HostConfig &host) { return read_map<LogConfig>(value, place, kLogFields, host.logs); }},
    {"http", nullptr, kNotYet},
};

// Both end with a slash.
bool is_within(std::string_view path, std::string_view folder) {
  return path.starts_with(folder);
}

std::string with_slash(const std::string &path) {
  return path.ends_with('/') ? path : path + "/";
}

// Who waits for whom. What is left when everything that can start has started is a circle, or waits for one.
class DependencyGraph {
 public:
  explicit DependencyGraph(const std::vector<EntryConfig> &entries) : entries_(entries), waits_for_(entries.size()) {
    for (std::size_t i = 0; i < entries.size(); ++i) index_.emplace(entries[i].name, i);
    std::vector<std::vector<std::size_t>> needed_by(entries.size());
    std::vector<std::size_t> free;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      waits_for_[i] = entries[i].depends_on.size();
      for (const std::string &name : entries[i].depends_on) needed_by[index_.at(name)].push_back(i);
      if (waits_for_[i] == 0) free.push_back(i);
    }
    while (!free.empty()) {
      const std::size_t done = free.back();
      free.pop_back();
      for (const std::size_t i : needed_by[done])
        if (--waits_for_[i] == 0) free.push_back(i);
    }
  }

  // The entries of a circle, or none.
  [[nodiscard]] std::vector<std::size_t> circle() const {
    const auto start = std::ranges::find_if(waits_for_, [](std::size_t n) { return n > 0; });
    if (start == waits_for_.end()) return {};
    std::vector<std::size_t> path;
    std::vector<bool> seen(entries_.size());
    auto at = static_cast<std::size_t>(start - waits_for_.begin());
    while (!seen[at]) {
      seen[at] = true;
      path.push_back(at);
      at = next(at);
    }
    path.erase(path.begin(), std::ranges::find(path, at));
    return path;
  }

 private:
  [[nodiscard]] std::size_t next(std::size_t at) const {
    for (const std::string &name : entries_[at].depends_on)
      if (const std::size_t i = index_.at(name); waits_for_[i] > 0) return i;
    return at;
  }

  const std::vector<EntryConfig> &entries_;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<std::size_t> waits_for_;  // what is left after all that can start has started
};

}  // namespace

ConfigBuilder::ConfigBuilder(std::string file, std::int32_t processors, ConfigFiles &files, Machine &machine)
    : files_(files), machine_(machine), processors_(processors) {
  config_.file = std::move(file);
}

Result<void> ConfigBuilder::read_host(const Node *host, const Source &source) {
  const std::string base = source.folder == "/" ? "" : source.folder;
  config_.host.plugins = base + "/plugins";
  config_.host.state = base + "/state";
  if (host == nullptr) return {};
  const Place root(source);
  const Place place = root.member("host");
  if (auto map = read_map<HostConfig>(*host, place, kHostFields, config_.host); !map) return map;
  for (std::size_t i = 0; i + 1 < host->children.size(); i += 2)
    if (host->children[i].text == "state")
      if (auto room = files_.check_room_for_folder(config_.host.state); !room)
        return place.member("state").refuse(host->children[i + 1].mark, room.error());
  if (config_.host.plugins == config_.host.state)
    return place.refuse(host->mark, "plugins and state are the same folder", "give each its own");
  return {};
}

Result<void> ConfigBuilder::add_entries(const Node &workers, const Source &source) {
  const Place root(source);
  const Place place = root.member("workers");
  if (auto list = expect_list(workers, place, "write a list below it: - plugin: NAME.so"); !list) return list;
  config_.entries.reserve(config_.entries.size() + workers.children.size());
  for (std::size_t i = 0; i < workers.children.size(); ++i) {
    const Place item = place.item(static_cast<std::int64_t>(i));
    auto entry = read_entry(workers.children[i], item, context());
    if (!entry) return tl::unexpected(entry.error());
    if (auto added = add(std::move(entry->config), entry->marks, item); !added) return added;
  }
  return {};
}

Result<void> ConfigBuilder::add_entries(const PlainEntries &workers, const Source &source, const FileMemory &former,
                                        FileMemory *now) {
  const Place root(source);
  const Place place = root.member("workers");
  config_.entries.reserve(config_.entries.size() + workers.items.size());
  for (std::size_t i = 0; i < workers.items.size(); ++i) {
    const PlainItem &item = workers.items[i];
    const Place inner = place.item(static_cast<std::int64_t>(i)).below(item.line - 1);
    auto known = workers.nodes[i] ? nullptr : former.find(item.text, context());
    if (known == nullptr) {
      const auto anew = workers.nodes[i] ? std::nullopt : parse_plain_item(item.text);
      auto entry = read_and_note(anew ? *anew : *workers.nodes[i], inner, context());
      if (!entry) return tl::unexpected(entry.error());
      known = std::move(*entry);
    }
    if (auto added = add(known->draft.config, known->draft.marks, inner); !added) return added;
    if (now != nullptr) now->remember(item.text, context(), std::move(known));
  }
  return {};
}

Result<void> ConfigBuilder::add(EntryConfig config, const EntryMarks &marks, const Place &place) {
  const auto where = [&](std::string_view key, const std::optional<Mark> &mark) {
    return mark ? place.member(key).where(*mark) : place.where(marks.entry);
  };
  const auto [known, fresh] = names_.emplace(config.name, config_.entries.size());
  if (!fresh)
    return fail(
        where("name", marks.name),
        fmt::format("the name {} is already taken by {}", in_quotes(config.name), config_.entries[known->second].where),
        "give one of the two another name:");
  config.where = place.where(marks.entry);
  config.plugin_where = where("plugin", marks.plugin);
  if (config.is_job()) {
    config.input_where = where("input", marks.input);
    config.output_where = where("output", marks.output);
  }
  std::vector<std::string> &needs = depends_on_where_.emplace_back();
  for (const Mark &mark : marks.depends_on) needs.push_back(where("depends_on", mark));
  config_.entries.push_back(std::move(config));
  return {};
}

Result<Config> ConfigBuilder::finish() {
  if (auto outputs = check_outputs(); !outputs) return tl::unexpected(outputs.error());
  if (auto dependencies = check_dependencies(); !dependencies) return tl::unexpected(dependencies.error());
  return std::move(config_);
}

// What a job owns is its own: nothing else may lie in its output, and it may not lie in what is the host's.
Result<void> ConfigBuilder::check_outputs() {
  const std::string state = with_slash(files_.real_path(config_.host.state));
  const std::string own = with_slash(files_.real_path(config_.host.state + "/output"));
  const std::string plugins = with_slash(files_.real_path(config_.host.plugins));
  std::vector<std::pair<std::string, std::size_t>> outputs;
  for (std::size_t i = 0; i < config_.entries.size(); ++i) {
    if (!config_.entries[i].is_job()) continue;
    const std::string &path = config_.entries[i].output;
    const std::string real = with_slash(files_.real_path(path));
    constexpr std::string_view kHint = "give the job a folder of its own";
    if (is_within(state, real) || is_within(plugins, real) || is_within(config_.file, real))
      return fail(config_.entries[i].output_where,
                  fmt::format("the output {} holds files that are not the job's", in_quotes(path)), std::string(kHint));
    if (is_within(real, plugins) || (is_within(real, state) && (!is_within(real, own) || real == own)))
      return fail(config_.entries[i].output_where,
                  fmt::format("the output {} lies in a folder of the host's", in_quotes(path)), std::string(kHint));
    outputs.emplace_back(real, i);
  }
  std::ranges::sort(outputs);
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    if (!is_within(outputs[i].first, outputs[i - 1].first)) continue;
    const auto [outer, inner] = std::minmax(outputs[i - 1].second, outputs[i].second);
    const bool same = outputs[i].first == outputs[i - 1].first;
    return fail(config_.entries[inner].output_where,
                fmt::format("the output {} {} that of {}", in_quotes(config_.entries[inner].output),
                            same ? "is also" : "lies in, or holds,", in_quotes(config_.entries[outer].name)),
                "give each job a folder of its own");
  }
  return {};
}

Result<void> ConfigBuilder::check_dependencies() const {
  for (std::size_t i = 0; i < config_.entries.size(); ++i) {
    const EntryConfig &entry = config_.entries[i];
    for (std::size_t k = 0; k < entry.depends_on.size(); ++k) {
      const std::string &name = entry.depends_on[k];
      if (name == entry.name)
        return fail(depends_on_where_[i][k], fmt::format("{} depends on itself", in_quotes(name)), "leave it out");
      if (names_.contains(name)) continue;
      std::vector<std::string_view> known;
      for (const EntryConfig &each : config_.entries) known.push_back(each.name);
      std::ranges::sort(known);
      const auto near = nearest(name, known);
      return fail(depends_on_where_[i][k], fmt::format("there is no entry {}", in_quotes(name)),
                  near ? fmt::format("did you mean \"{}\"?", *near) : "write the name: of another entry");
    }
  }
  if (std::ranges::all_of(config_.entries, [](const EntryConfig &each) { return each.depends_on.empty(); })) return {};
  const std::vector<std::size_t> circle = DependencyGraph(config_.entries).circle();
  if (circle.empty()) return {};
  constexpr std::size_t kMostNamed = 10;
  std::string words;
  for (const std::size_t i : std::span(circle).first(std::min(circle.size(), kMostNamed)))
    words += config_.entries[i].name + " → ";
  if (circle.size() > kMostNamed) words += "… → ";
  const std::vector<std::string> &needs = config_.entries[circle.front()].depends_on;
  const auto k = std::ranges::find(needs, config_.entries[circle[1 % circle.size()]].name) - needs.begin();
  return fail(
      depends_on_where_[circle.front()][static_cast<std::size_t>(k)],
      fmt::format("entries depend on each other in a circle: {}{}", words, config_.entries[circle.front()].name),
      "leave one of these out");
}

std::vector<std::string> supported_keys() {
  std::vector<std::string> keys{"host", "include", "workers"};
  append_keys<HostConfig>("host.", kHostFields, keys);
  append_keys<LogConfig>("host.logs.", kLogFields, keys);
  append_entry_keys(keys);
  return keys;
}

}  // namespace hostler
