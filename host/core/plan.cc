#include "core/plan.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include "core/units.h"

namespace hostler {
namespace {

constexpr std::string_view kNew = "new";
constexpr std::string_view kGoesOn = "goes on";

using Words = std::vector<std::string>;

// "count 4 → 6". Thousands of entries are compared and few differ: words are made of those alone.
template <typename T, typename ToText>
void differ(Words &words, std::string_view key, const T &was, const T &now, const ToText &text) {
  if (was == now) return;
  const std::string before = text(was);
  const std::string after = text(now);
  words.push_back(fmt::format("{} {} → {}", key, before.empty() ? "none" : before, after.empty() ? "none" : after));
}

template <typename T>
void differ_quietly(Words &words, std::string_view key, const T &was, const T &now) {
  if (!(was == now)) words.push_back(fmt::format("{} changed", key));
}

std::string as_number(std::int32_t value) {
  return std::to_string(value);
}

std::string as_it_is(const std::string &text) {
  return text;
}

std::string short_hash(const std::string &hash) {
  return hash.substr(0, 12);
}

std::string time_words(const std::optional<Duration> &time) {
  return time ? format_duration(*time) : "";
}

std::string user_name(const std::optional<User> &user) {
  return user ? user->name : "";
}

// What running workers were given and would have to be given anew.
Words worker_changes(const PreparedEntry &was, const PreparedEntry &now) {
  Words words;
  differ(words, "plugin", was.build.hash, now.build.hash, short_hash);
  differ(words, "cwd", was.config.cwd, now.config.cwd, as_it_is);
  differ_quietly(words, "env", was.config.env, now.config.env);
  if (user_name(was.config.user) == user_name(now.config.user))
    differ_quietly(words, "groups of the user", was.config.user, now.config.user);
  else
    differ(words, "user", was.config.user, now.config.user, user_name);
  differ_quietly(words, "limits", was.config.limits, now.config.limits);
  if (was.config.stop.signal != now.config.stop.signal) words.emplace_back("stop.signal changed");
  if (was.config.split != now.config.split) words.emplace_back("split changed");
  if (now.config.is_job())
    differ_quietly(words, "on_exit", was.config.on_exit, now.config.on_exit);
  else
    for (std::string &change : param_changes(was.config.params, now.config.params)) words.push_back(std::move(change));
  return words;
}

// What the host alone goes by: no worker notices.
Words quiet_changes(const EntryConfig &was, const EntryConfig &now) {
  Words words;
  differ(words, "count", was.count, now.count, as_number);
  differ_quietly(words, "restart", was.restart, now.restart);
  if (!now.is_job()) differ_quietly(words, "on_exit", was.on_exit, now.on_exit);
  differ(words, "time_limit", was.time_limit, now.time_limit, time_words);
  differ(words, "watchdog", was.watchdog, now.watchdog, time_words);
  if (was.stop.drain != now.stop.drain) words.emplace_back("stop.drain changed");
  if (was.stop.grace != now.stop.grace) words.emplace_back("stop.grace changed");
  differ(words, "attempts", was.attempts, now.attempts, as_number);
  differ(words, "max_temporary", was.max_temporary, now.max_temporary, as_number);
  differ_quietly(words, "max_failed", was.max_failed, now.max_failed);
  differ(words, "max_bisect", was.max_bisect, now.max_bisect, as_number);
  differ_quietly(words, "recycle", was.recycle, now.recycle);
  differ_quietly(words, "max_skipped", was.max_skipped, now.max_skipped);
  differ_quietly(words, "depends_on", was.depends_on, now.depends_on);
  if (was.on_change != now.on_change) words.emplace_back("on_change changed");
  return words;
}

bool has(const std::vector<std::string> &names, const std::string &name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Result<void> check_options(const std::vector<PreparedEntry> &wanted, const ReloadOptions &options) {
  const auto check = [&](const std::vector<std::string> &names, std::string_view flag) -> Result<void> {
    for (const std::string &each : names) {
      const auto found = std::find_if(wanted.begin(), wanted.end(),
                                      [&](const PreparedEntry &entry) { return entry.config.name == each; });
      if (found == wanted.end())
        return fail(fmt::format("{} {}", flag, each), "no entry has this name", "it takes a name from workers.yaml");
      if (!found->config.is_job())
        return fail(fmt::format("{} {}", flag, each), "this entry is a service", "only jobs keep what is done");
    }
    return {};
  };
  if (auto ok = check(options.fresh, "--fresh"); !ok) return ok;
  if (auto ok = check(options.resume, "--resume"); !ok) return ok;
  const std::unordered_set<std::string_view> resumed(options.resume.begin(), options.resume.end());
  for (const std::string &each : options.fresh)
    if (resumed.contains(each)) return fail("--fresh " + each, "--resume names it too", "give one of the two");
  return {};
}

// What has been done by another build than the one that is to go on with it: the rest is mixed in with open eyes.
Words build_change(const PlannedJob &planned, const PreparedEntry &wanted) {
  Words words;
  if (!planned.last_build.empty()) differ(words, "plugin", planned.last_build, wanted.build.hash, short_hash);
  return words;
}

// How a job that the ledger knows goes on: nothing when it is as it was planned.
std::optional<EntryPlan> plan_changed_job(const PlannedJob &planned, const PreparedEntry &wanted,
                                          const ReloadOptions &options) {
  const std::string &name = wanted.config.name;
  const Words changes = job_changes(planned.identity, *planned.manifest, identity_of(wanted.config), wanted.manifest);
  const std::string words = fmt::format("{}", fmt::join(changes, ", "));
  Words going_on = changes.empty() ? Words{"tries again what is not done"} : changes;
  for (std::string &each : build_change(planned, wanted)) going_on.push_back(std::move(each));
  const std::string resumed_words = fmt::format("{}", fmt::join(going_on, ", "));
  if (has(options.fresh, name)) return EntryPlan{name, EntryAction::Fresh, words.empty() ? "from zero" : words};
  const bool resumed = has(options.resume, name);
  if (changes.empty() && resumed && planned.unfinished) return EntryPlan{name, EntryAction::Resume, resumed_words};
  if (changes.empty()) return std::nullopt;
  if (resumed) return EntryPlan{name, EntryAction::Resume, resumed_words};
  switch (wanted.config.on_change) {
    case OnChange::Fresh: return EntryPlan{name, EntryAction::Fresh, words};
    case OnChange::Resume: return EntryPlan{name, EntryAction::Resume, resumed_words};
    case OnChange::Ask: return EntryPlan{name, EntryAction::Hold, words};
  }
  return std::nullopt;
}

EntryPlan plan_entry(const PreparedEntry *current, const PlannedJob *planned, const PreparedEntry &wanted,
                     const ReloadOptions &options) {
  const std::string &name = wanted.config.name;
  if (current != nullptr && current->config.is_job() != wanted.config.is_job())
    return {name, EntryAction::Rebuild, wanted.config.is_job() ? "service → job" : "job → service"};
  if (planned != nullptr && wanted.config.is_job())
    if (auto changed = plan_changed_job(*planned, wanted, options)) return *changed;
  if (current == nullptr && planned == nullptr) return {name, EntryAction::Add, std::string(kNew)};
  if (current == nullptr) {
    const Words build = planned->ended ? Words{} : build_change(*planned, wanted);
    return {name, EntryAction::Add,
            build.empty() ? std::string(kGoesOn) : fmt::format("{}, {}", kGoesOn, fmt::join(build, ", "))};
  }
  Words words = worker_changes(*current, wanted);
  const EntryAction action = words.empty() ? EntryAction::Adjust : EntryAction::Replace;
  for (std::string &each : quiet_changes(current->config, wanted.config)) words.push_back(std::move(each));
  return {name, words.empty() ? EntryAction::Keep : action, fmt::format("{}", fmt::join(words, ", "))};
}

}  // namespace

std::string_view name(EntryAction action) {
  switch (action) {
    case EntryAction::Keep: return "keep";
    case EntryAction::Adjust: return "adjust";
    case EntryAction::Add: return "add";
    case EntryAction::Remove: return "remove";
    case EntryAction::Replace: return "replace";
    case EntryAction::Rebuild: return "rebuild";
    case EntryAction::Hold: return "hold";
    case EntryAction::Fresh: return "fresh";
    case EntryAction::Resume: return "resume";
  }
  return "";
}

std::string ways_on(const std::string &name, bool resumable) {
  return fmt::format("--fresh {}{}", name, resumable ? " or --resume " + name : "");
}

std::string plan_line(const EntryPlan &plan) {
  const bool held = plan.action == EntryAction::Hold;
  return fmt::format("{:<8} {}: {}{}", name(plan.action), plan.name, plan.words,
                     held ? "; keeps its old settings until " + ways_on(plan.name, plan.resumable) : "");
}

bool changes_begun_work(const EntryPlan &plan) {
  switch (plan.action) {
    case EntryAction::Hold:
    case EntryAction::Fresh:
    case EntryAction::Resume: return true;
    case EntryAction::Add: return plan.words != kNew && plan.words != kGoesOn;
    default: return false;
  }
}

std::string host_changes(const HostConfig &was, const HostConfig &now) {
  Words words;
  differ(words, "plugins", was.plugins, now.plugins, as_it_is);
  differ(words, "umask", was.umask, now.umask, format_umask);
  if (was.umask != now.umask) words.back() += " (workers that run keep theirs)";
  differ(words, "logs.size", was.logs.size, now.logs.size, format_size);
  differ(words, "logs.keep", was.logs.keep, now.logs.keep, as_number);
  return fmt::format("{}", fmt::join(words, ", "));
}

JobIdentity identity_of(const EntryConfig &config) {
  return {config.input, config.output, config.params};
}

Result<std::vector<EntryPlan>> plan(const CurrentEntries &current, const std::map<std::string, PlannedJob> &planned,
                                    const std::vector<PreparedEntry> &wanted, const ReloadOptions &options) {
  if (auto ok = check_options(wanted, options); !ok) return tl::unexpected(ok.error());
  std::vector<EntryPlan> plans;
  plans.reserve(wanted.size());
  std::unordered_set<std::string_view> names;
  for (const PreparedEntry &entry : wanted) {
    const std::string &name = entry.config.name;
    names.insert(name);
    const auto running = current.find(name);
    const auto known = planned.find(name);
    plans.push_back(plan_entry(running == current.end() ? nullptr : running->second,
                               known == planned.end() ? nullptr : &known->second, entry, options));
  }
  for (const auto &[name, entry] : current)
    if (!names.contains(name)) plans.push_back({std::string(name), EntryAction::Remove, "no longer in the file"});
  return plans;
}

}  // namespace hostler
