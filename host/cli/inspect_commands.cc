// Commands that look at a configuration and its plugins: check, plugins.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/say.h"
#include "core/human_text.h"
#include "edge/config_yaml.h"
#include "edge/pidfile.h"
#include "edge/plugin_store.h"
#include "edge/preparer.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

Outcome<PluginStore> open_store(const HostConfig &host) {
  if (auto made = make_state_dir(host.state); !made) return give_up(ExitCode::Failed, made.error());
  return PluginStore(host.state + "/store", "/proc/self/exe");
}

std::string kind_words(const PreparedEntry &entry) {
  if (!entry.config.is_job()) return "service";
  const std::int64_t slices = entry.manifest.slice_count();
  return "job of " + counted(slices, "slice");
}

void print_entries(const Prepared &prepared) {
  Table table;
  for (const auto &entry : prepared.entries) {
    table.add({"  " + entry.config.name, kind_words(entry), counted(entry.config.count, "worker"),
               fmt::format("{} {} (build {})", entry.build.id, entry.build.version, entry.build.hash.substr(0, 12))});
  }
  say("{}", table.text());
}

// What a reload of the host that runs this file would do; nothing when there is none.
Outcome<void> print_plan(const Config &config) {
  auto client = ControlClient::connect(config.host.state);
  if (!client || !*client) return {};
  const auto status = (*client)->status();
  if (!status || status->config != config.file) return {};
  const auto reply = (*client)->ask("POST", "/v1/check", to_json(ReloadOptions{}));
  if (!reply) return give_up(ExitCode::Failed, reply.error());
  const auto answer = reload_reply_from_json(reply->body);
  if (!answer) return give_up(ExitCode::Failed, answer.error());
  if (!answer->ok || reply->status != 200)
    return give_up(reply->status == 422 ? ExitCode::InvalidConfig : ExitCode::Failed,
                   "a reload would be refused: " + answer->error);
  say("a reload would {}\n", answer->text.empty() ? "change nothing" : "do this:");
  for (const auto &line : answer->text) say("  {}\n", line);
  return {};
}

std::vector<std::string> plugin_files(const std::string &folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto &file : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = file.path().filename().string();
    if (name.ends_with(".so") && !name.starts_with('.')) files.push_back(name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

PluginStatus inspect(const std::string &file, const Config &config, const PluginStore &store) {
  PluginStatus plugin;
  plugin.file = file;
  std::optional<User> user;  // of whoever uses it
  for (const auto &entry : config.entries)
    if (entry.plugin == config.host.plugins + "/" + file) {
      plugin.used_by.push_back(entry.name);
      user = entry.user;
    }
  const auto build = store.add(config.host.plugins + "/" + file, "", user);
  if (!build) {
    plugin.error = build.error().text();
    return plugin;
  }
  plugin.id = build->id;
  plugin.version = build->version;
  plugin.abi = build->abi;
  plugin.build = build->hash.substr(0, 12);
  return plugin;
}

std::string used_by(const PluginStatus &plugin) {
  return plugin.used_by.empty() ? "-" : fmt::format("{}", fmt::join(plugin.used_by, ", "));
}

void print_plugins(const std::vector<PluginStatus> &plugins) {
  Table table;
  table.add({"FILE", "ID", "VERSION", "ABI", "BUILD", "USED BY"});
  for (const auto &plugin : plugins) {
    if (plugin.error.empty()) {
      table.add({plugin.file, plugin.id, plugin.version, plugin.abi, plugin.build, used_by(plugin)});
    } else {
      table.add({plugin.file, "-", "-", "-", "-", used_by(plugin)});
    }
  }
  say("{}", table.text());
  for (const auto &plugin : plugins)
    if (!plugin.error.empty()) say("{}\n", plugin.error);
}

}  // namespace

Outcome<ExitCode> run_check(const std::string &file) {
  const auto config = read_config(file);
  if (!config) return give_up(exit_code_of_config(config.error()), config.error());
  const auto store = open_store(config->host);
  if (!store) return tl::unexpected<Failure>(store.error());
  const auto prepared = prepare(*config, *store);
  if (!prepared) return give_up(exit_code_of_config(prepared.error()), prepared.error());
  say("OK: {}\n", config->file);
  print_entries(*prepared);
  if (const auto printed = print_plan(*config); !printed) return tl::unexpected<Failure>(printed.error());
  return ExitCode::Fine;
}

Outcome<ExitCode> run_plugins(const std::string &file, bool json) {
  const auto config = read_config(file);
  if (!config) return give_up(exit_code_of_config(config.error()), config.error());
  const auto store = open_store(config->host);
  if (!store) return tl::unexpected<Failure>(store.error());
  std::vector<PluginStatus> plugins;
  for (const auto &name : plugin_files(config->host.plugins)) plugins.push_back(inspect(name, *config, *store));
  if (json) {
    say("{}", to_json(plugins));
  } else if (plugins.empty()) {
    say("no plugins in {}\n", config->host.plugins);
  } else {
    print_plugins(plugins);
  }
  return ExitCode::Fine;
}

}  // namespace hostler
