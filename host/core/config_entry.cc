#include "core/config_entry.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "core/config_limits.h"
#include "core/config_on_exit.h"
#include "core/config_params.h"
#include "core/config_values.h"
#include "core/units.h"

namespace hostler {
namespace {

constexpr std::int64_t kMostWorkers = 100'000;
constexpr std::int64_t kMostAttempts = 1'000'000;
constexpr std::int64_t kMostRestarts = 1'000'000'000;
constexpr double kMostFactor = 1000;
constexpr Duration kShortestWatch = std::chrono::milliseconds(10);
constexpr std::size_t kLongestName = 64;

struct Draft {
  EntryDraft entry;
  const EntryContext *context = nullptr;
  std::optional<std::int32_t> count;
  ExitRules on_exit;
  LimitsDraft limits;
  std::optional<std::string> job_key;  // the first key that only a job has, and where
  std::string job_key_where;
};

bool is_name(std::string_view text) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (text.empty() || text.size() > kLongestName || kFirst.find(text.front()) == std::string_view::npos) return false;
  return std::ranges::all_of(text,
                             [&](char c) { return kFirst.find(c) != std::string_view::npos || c == '_' || c == '-'; });
}

void note_job_key(std::string_view key, const Node &value, const Place &place, Draft &draft) {
  if (draft.job_key) return;
  draft.job_key = key;
  draft.job_key_where = place.where(value.mark);
}

Result<void> read_name(const Node &value, const Place &place, Draft &draft) {
  auto name = read_text(value, place);
  if (!name) return tl::unexpected(name.error());
  if (!is_name(*name))
    return place.refuse(value.mark, fmt::format("{} is no name for an entry", in_quotes(*name)),
                        "write at most 64 letters, digits, - and _, the first a letter or digit");
  draft.entry.config.name = std::move(*name);
  draft.entry.marks.name = value.mark;
  return {};
}

Result<void> read_plugin(const Node &value, const Place &place, Draft &draft) {
  auto plugin = read_text(value, place);
  if (!plugin) return tl::unexpected(plugin.error());
  const std::string &folder = draft.context->host.plugins;
  constexpr std::string_view kHint = "write the name of a file in the plugins folder, as wordcount.so";
  if (plugin->empty()) return place.refuse(value.mark, "the name of the plugin is empty", std::string(kHint));
  if (plugin->find('/') != std::string::npos)
    return place.refuse(
        value.mark, fmt::format("{} is a path: plugins are taken from {} only", in_quotes(*plugin), in_quotes(folder)),
        "put the file there and write its name, or set host.plugins to its folder");
  if (*plugin == "." || *plugin == "..")
    return place.refuse(value.mark, fmt::format("{} is a folder", in_quotes(*plugin)), std::string(kHint));
  if (auto found = draft.context->files.check_plugin(folder, *plugin); !found)
    return place.refuse(value.mark, std::move(found.error()));
  draft.entry.config.plugin = folder + "/" + *plugin;
  draft.entry.marks.plugin = value.mark;
  return {};
}

Result<void> read_pin(const Node &value, const Place &place, Draft &draft) {
  auto pin = read_text(value, place);
  if (!pin) return tl::unexpected(pin.error());
  constexpr std::size_t kDigits = 64;
  for (char &c : *pin)
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  if (pin->size() != kDigits || pin->find_first_not_of("0123456789abcdef") != std::string::npos)
    return place.refuse(value.mark, fmt::format("{} is not a sha256", in_quotes(*pin)),
                        "write the 64 hex digits that sha256sum prints for the plugin");
  draft.entry.config.sha256 = std::move(*pin);
  return {};
}

Result<void> read_count(const Node &value, const Place &place, Draft &draft) {
  if (value.kind == Node::Kind::Scalar && value.text == "auto") {
    draft.count = draft.context->processors;
    return {};
  }
  return store(read_integer(value, place, 1, kMostWorkers), draft.count.emplace());
}

Result<void> read_cwd(const Node &value, const Place &place, Draft &draft) {
  std::string &cwd = draft.entry.config.cwd;
  if (auto path = store(read_path(value, place), cwd); !path) return path;
  if (auto folder = draft.context->files.check_folder(cwd); !folder)
    return place.refuse(value.mark, std::move(folder.error()));
  return {};
}

Result<void> read_output(const Node &value, const Place &place, Draft &draft) {
  note_job_key("output", value, place, draft);
  draft.entry.marks.output = value.mark;
  return store(read_path(value, place), draft.entry.config.output);
}

template <auto Member>
Result<void> restart_duration(const Node &value, const Place &place, RestartConfig &restart) {
  return store(read_duration(value, place), restart.*Member);
}
constexpr Field<RestartConfig> kRestartFields[] = {
    {"delay", restart_duration<&RestartConfig::delay>},
    {"max_delay", restart_duration<&RestartConfig::max_delay>},
    {"factor", [](const Node &value, const Place &place,
                  RestartConfig &restart) { return store(read_number(value, place, 1, kMostFactor), restart.factor); }},
    {"jitter", [](const Node &value, const Place &place,
                  RestartConfig &restart) { return store(read_number(value, place, 0, 1), restart.jitter); }},
    {"reset_after", restart_duration<&RestartConfig::reset_after>},
    {"limit",
     [](const Node &value, const Place &place, RestartConfig &restart) {
       return store(read_integer(value, place, 0, kMostRestarts), restart.limit);
     }},
    {"within", restart_duration<&RestartConfig::within>},
};

Result<void> read_restart(const Node &value, const Place &place, Draft &draft) {
  RestartConfig &restart = draft.entry.config.restart;
  if (auto map = read_map<RestartConfig>(value, place, kRestartFields, restart); !map) return map;
  if (restart.delay > restart.max_delay)
    return place.refuse(value.mark,
                        fmt::format("delay ({}) is longer than max_delay ({})", format_duration(restart.delay),
                                    format_duration(restart.max_delay)),
                        "delay is 100ms and max_delay 30s when they are not given");
  return {};
}

template <auto Member>
Result<void> stop_duration(const Node &value, const Place &place, StopConfig &stop) {
  return store(read_duration(value, place), stop.*Member);
}
constexpr Field<StopConfig> kStopFields[] = {
    {"drain", stop_duration<&StopConfig::drain>},
    {"signal", [](const Node &value, const Place &place,
                  StopConfig &stop) { return store(read_stop_signal(value, place), stop.signal); }},
    {"grace", stop_duration<&StopConfig::grace>},
};

constexpr Field<Draft> kRecycleFields[] = {
    {"slices",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("recycle.slices", value, place, draft);
       return store(read_integer(value, place, 1, kMostRestarts), draft.entry.config.recycle.slices);
     }},
    {"memory", [](const Node &value, const Place &place,
                  Draft &draft) { return store(read_size(value, place), draft.entry.config.recycle.memory); }},
};

// Of a time_limit or watchdog: shorter than this nothing can be told apart.
Result<void> read_watch(const Node &value, const Place &place, std::optional<Duration> &into) {
  if (auto time = store(read_duration(value, place), into.emplace()); !time) return time;
  if (*into < kShortestWatch)
    return place.refuse(value.mark, fmt::format("{} is too short", in_quotes(value.text)), "write at least 10ms");
  return {};
}

Result<void> read_split(const Node &value, const Place &place, Draft &draft) {
  note_job_key("split", value, place, draft);
  auto text = read_text(value, place);
  if (!text) return tl::unexpected(text.error());
  const bool on = *text == "on" || *text == "true";
  if (!on && *text != "off" && *text != "false")
    return place.refuse(value.mark, fmt::format("{} is not known", in_quotes(*text)), "write on or off");
  draft.entry.config.split = on;
  return {};
}

Result<void> read_on_change(const Node &value, const Place &place, Draft &draft) {
  note_job_key("on_change", value, place, draft);
  auto text = read_text(value, place);
  if (!text) return tl::unexpected(text.error());
  constexpr std::array<std::pair<std::string_view, OnChange>, 3> kNames{
      {{"ask", OnChange::Ask}, {"fresh", OnChange::Fresh}, {"resume", OnChange::Resume}}};
  for (const auto &[name, meaning] : kNames) {
    if (*text != name) continue;
    draft.entry.config.on_change = meaning;
    return {};
  }
  return place.refuse(value.mark, fmt::format("{} is not known", in_quotes(*text)), "write ask, fresh or resume");
}

Result<void> read_user(const Node &value, const Place &place, Draft &draft) {
  const auto name = read_text(value, place);
  if (!name) return tl::unexpected(name.error());
  Machine &machine = draft.context->machine;
  auto user = machine.find_user(*name);
  if (!user) return place.refuse(value.mark, user.error());
  if (user->uid == machine.powers().uid) return {};
  if (!machine.powers().root)
    return place.refuse(value.mark,
                        fmt::format("workers cannot run as {}: only a host that is root may run them as somebody else",
                                    in_quotes(*name)),
                        "start hostler as root, or leave the user out");
  draft.entry.config.user = std::move(*user);
  return {};
}

Result<void> read_depends_on(const Node &value, const Place &place, Draft &draft) {
  std::vector<std::string> &names = draft.entry.config.depends_on;
  if (value.kind == Node::Kind::List && value.children.empty()) return {};
  if (auto list = store(read_texts(value, place), names); !list) return list;
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Node &node = value.kind == Node::Kind::List ? value.children[i] : value;
    if (!seen.insert(names[i]).second)
      return place.refuse(node.mark, fmt::format("{} is named twice", in_quotes(names[i])), "leave one out");
    draft.entry.marks.depends_on.push_back(node.mark);
  }
  return {};
}

constexpr std::string_view kInInput = "it belongs into input: {…}";
constexpr std::string_view kInStop = "it belongs into stop: {…}";
constexpr std::string_view kInRestart = "it belongs into restart: {…}";
constexpr std::string_view kInLimits = "it belongs into limits: {…}";
constexpr std::string_view kInOnExit = "it belongs into a rule of on_exit: [{…}]";

constexpr Field<Draft> kEntryFields[] = {
    {"name", read_name},
    {"plugin", read_plugin},
    {"sha256", read_pin},
    {"count", read_count},
    {"cwd", read_cwd},
    {"input",
     [](const Node &value, const Place &place, Draft &draft) {
       draft.entry.marks.input = value.mark;
       return store(read_input(value, place, draft.context->files), draft.entry.config.input);
     }},
    {"output", read_output},
    {"params", [](const Node &value, const Place &place,
                  Draft &draft) { return store(read_params(value, place), draft.entry.config.params); }},
    {"env", [](const Node &value, const Place &place,
               Draft &draft) { return store(read_env(value, place), draft.entry.config.env); }},
    {"on_exit", [](const Node &value, const Place &place,
                   Draft &draft) { return store(read_on_exit(value, place), draft.on_exit); }},
    {"restart", read_restart},
    {"attempts",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("attempts", value, place, draft);
       return store(read_integer(value, place, 1, kMostAttempts), draft.entry.config.attempts);
     }},
    {"max_failed",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("max_failed", value, place, draft);
       return store(read_tolerance(value, place), draft.entry.config.max_failed);
     }},
    {"max_skipped",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("max_skipped", value, place, draft);
       return store(read_tolerance(value, place), draft.entry.config.max_skipped);
     }},
    {"max_temporary",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("max_temporary", value, place, draft);
       return store(read_integer(value, place, 0, kMostRestarts), draft.entry.config.max_temporary);
     }},
    {"max_bisect",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("max_bisect", value, place, draft);
       return store(read_integer(value, place, 0, kMostAttempts), draft.entry.config.max_bisect);
     }},
    {"split", read_split},
    {"on_change", read_on_change},
    {"time_limit",
     [](const Node &value, const Place &place, Draft &draft) {
       note_job_key("time_limit", value, place, draft);
       return read_watch(value, place, draft.entry.config.time_limit);
     }},
    {"watchdog", [](const Node &value, const Place &place,
                    Draft &draft) { return read_watch(value, place, draft.entry.config.watchdog); }},
    {"stop", [](const Node &value, const Place &place,
                Draft &draft) { return read_map<StopConfig>(value, place, kStopFields, draft.entry.config.stop); }},
    {"recycle", [](const Node &value, const Place &place,
                   Draft &draft) { return read_map<Draft>(value, place, kRecycleFields, draft); }},
    {"limits",
     [](const Node &value, const Place &place, Draft &draft) { return read_limits(value, place, draft.limits); }},
    {"user", read_user},
    {"depends_on", read_depends_on},
    {"preload", nullptr, kNotYet},
    {"rollout", nullptr, kNotYet},
    {"reslice", nullptr, kNotYet},
    {"schedule", nullptr, kNotYet},
    {"slice", nullptr, kInInput},
    {"lines", nullptr, kInInput},
    {"records", nullptr, kInInput},
    {"files", nullptr, kInInput},
    {"range", nullptr, kInInput},
    {"items", nullptr, kInInput},
    {"items_file", nullptr, kInInput},
    {"drain", nullptr, kInStop},
    {"signal", nullptr, kInStop},
    {"grace", nullptr, kInStop},
    {"delay", nullptr, kInRestart},
    {"max_delay", nullptr, kInRestart},
    {"codes", nullptr, kInOnExit},
    {"signals", nullptr, kInOnExit},
    {"memory", nullptr, kInLimits},
    {"open_files", nullptr, kInLimits},
    {"cpu", nullptr, kInLimits},
    {"processes", nullptr, kInLimits},
    {"core", nullptr, kInLimits},
};

Result<void> default_name(const Node &node, const Place &place, Draft &draft) {
  EntryConfig &config = draft.entry.config;
  config.name = config.plugin.substr(config.plugin.rfind('/') + 1);
  if (config.name.ends_with(".so")) config.name.resize(config.name.size() - 3);
  if (!is_name(config.name))
    return place.refuse(node.mark,
                        fmt::format("the plugin's file name gives no name for the entry: {}", in_quotes(config.name)),
                        "add name: with letters, digits, - and _");
  return {};
}

// What follows from the other keys when it is not given.
Result<void> fill_in(const Node &node, const Place &place, Draft &draft) {
  EntryConfig &config = draft.entry.config;
  if (config.plugin.empty()) return place.refuse(node.mark, "\"plugin\" is missing", "write plugin: NAME.so");
  if (!draft.entry.marks.name)
    if (auto name = default_name(node, place, draft); !name) return name;
  if (!config.is_job() && draft.job_key)
    return fail(draft.job_key_where,
                fmt::format("\"{}\" is for jobs, and this entry is a service: it has no input", *draft.job_key),
                "add input:, or leave it out");
  if (auto fit = check_actions(draft.on_exit, config.is_job()); !fit) return fit;
  config.on_exit = std::move(draft.on_exit.rules);
  if (auto limits = store(enforceable(draft.limits, draft.context->machine, config.user), config.limits); !limits)
    return limits;
  config.count = draft.count.value_or(config.is_job() ? draft.context->processors : 1);
  if (config.cwd.empty()) config.cwd = place.source().folder;
  if (config.is_job() && config.output.empty()) config.output = draft.context->host.state + "/output/" + config.name;
  return {};
}

}  // namespace

Result<EntryDraft> read_entry(const Node &node, const Place &place, const EntryContext &context) {
  Draft draft;
  draft.context = &context;
  draft.entry.marks.entry = node.mark;
  if (node.kind != Node::Kind::Map)
    return place.refuse(node.mark, fmt::format("a map is expected, not {}", describe(node)), "write - plugin: NAME.so");
  if (auto map = read_map<Draft>(node, place, kEntryFields, draft); !map) return tl::unexpected(map.error());
  if (auto whole = fill_in(node, place, draft); !whole) return tl::unexpected(whole.error());
  return std::move(draft.entry);
}

void append_entry_keys(std::vector<std::string> &keys) {
  append_keys<Draft>("workers[].", kEntryFields, keys);
  append_input_keys(keys);
  append_on_exit_keys(keys);
  append_limits_keys(keys);
  append_keys<RestartConfig>("workers[].restart.", kRestartFields, keys);
  append_keys<Draft>("workers[].recycle.", kRecycleFields, keys);
  append_keys<StopConfig>("workers[].stop.", kStopFields, keys);
}

}  // namespace hostler
