#include "edge/preparer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/config_place.h"
#include "core/output_layout.h"
#include "core/slicing.h"
#include "edge/file_list.h"

namespace hostler {
namespace {

// Folders of parts are named by ordinals of six digits, and are to sort.
constexpr std::size_t kMostInputs = 1'000'000;

// What is known so far, so that each plugin is looked at once.
using Builds = std::map<std::string, std::map<std::string, Build>>;  // by path and pin

// An error names itself where it happened; the place in the configuration is told in front of it.
tl::unexpected<Error> at_key(std::string where, Error error) {
  std::string what = error.where.empty() ? std::move(error.what) : error.where + ": " + error.what;
  return tl::unexpected(Error{std::move(where), std::move(what), std::move(error.hint), error.may_pass});
}

Result<Build> find_build(const EntryConfig &entry, const PluginStore &store, const std::stop_token &stop,
                         Builds &builds) {
  std::map<std::string, Build> &of_plugin = builds[entry.plugin];
  if (const auto known = of_plugin.find(entry.sha256); known != of_plugin.end()) return known->second;
  auto build = store.add(entry.plugin, entry.sha256, entry.user, stop);
  if (!build) return at_key(entry.plugin_where, std::move(build.error()));
  return of_plugin.emplace(entry.sha256, std::move(*build)).first->second;
}

// What the files must be for this job, beyond being there.
Result<void> check_files(const EntryConfig &entry, const std::vector<Input> &files) {
  for (const Input &file : files) {
    if (file.path.starts_with(entry.output + "/"))
      return at_key(entry.input_where, {"", fmt::format("{} lies in the output of the same job", in_quotes(file.path)),
                                        "write a pattern that leaves the output out, or another output:"});
    if (entry.input.kind == InputKind::Records && file.size % entry.input.record_size != 0)
      return at_key(entry.input_where + ".records",
                    {"",
                     fmt::format("{} has {} bytes, which is no whole number of records of {} bytes",
                                 in_quotes(file.path), file.size, entry.input.record_size),
                     "correct size:, or complete the file"});
  }
  return {};
}

Result<std::vector<Input>> list_inputs(const EntryConfig &entry) {
  const InputConfig &input = entry.input;
  std::vector<Input> inputs(1);
  switch (input.kind) {
    case InputKind::None: return std::vector<Input>{};
    case InputKind::Range: inputs[0].size = input.end - input.begin; return inputs;
    case InputKind::Items: inputs[0].size = static_cast<std::int64_t>(input.items.all().size()); return inputs;
    case InputKind::Lines:
    case InputKind::Records:
    case InputKind::File: break;
  }
  auto files = list_files(input.patterns);
  if (!files) return at_key(entry.input_where, std::move(files.error()));
  if (auto good = check_files(entry, *files); !good) return tl::unexpected(good.error());
  return files;
}

// What can be said of the output before the job begins, without a change: the job itself looks at every file.
Result<void> check_output(const EntryConfig &entry) {
  namespace fs = std::filesystem;
  const auto refuse = [&](std::string_view what, std::string_view hint) {
    return at_key(entry.output_where,
                  {"", fmt::format("the output {} {}", in_quotes(entry.output), what), std::string(hint)});
  };
  std::error_code error;
  fs::path there = entry.output;
  while (fs::symlink_status(there, error).type() == fs::file_type::not_found && there.has_relative_path())
    there = there.parent_path();
  const bool made = there == fs::path(entry.output);
  if (!fs::is_directory(there, error))
    return refuse(made ? "is no folder" : fmt::format("cannot be made: {} is no folder", in_quotes(there.string())),
                  "choose another output:");
  if (::access(there.c_str(), made ? R_OK | W_OK | X_OK : W_OK | X_OK) != 0) {
    const std::string why = std::strerror(errno);
    return refuse(
        made ? "cannot be written to: " + why : fmt::format("cannot be made in {}: {}", in_quotes(there.string()), why),
        "make it writable for the user of hostler, or choose another output:");
  }
  if (!made) return {};
  // In one pass: a job that begins meanwhile makes its folders here.
  std::string foreign;
  for (fs::directory_iterator at(there, error); !error && at != fs::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename();
    if (name == kAttemptsFolder || name == kPartsFolder || name == kOutputManifest) return {};
    if (foreign.empty()) foreign = name;
  }
  if (foreign.empty()) return {};
  return refuse(fmt::format("holds {}, which is of no job", in_quotes(foreign)),
                "empty the folder, or choose another output:");
}

Result<Manifest> make_manifest(const EntryConfig &entry) {
  if (!entry.is_job()) return Manifest();
  const InputConfig &input = entry.input;
  auto inputs = list_inputs(entry);
  if (!inputs) return tl::unexpected(inputs.error());
  if (auto good = check_output(entry); !good) return tl::unexpected(good.error());
  if (!Manifest::fits(*inputs))
    return at_key(entry.input_where, {"", "the input is larger than can be counted", "divide it over several entries"});
  if (inputs->size() > kMostInputs)
    return at_key(entry.input_where, {"", fmt::format("{} files are more than one job can number", inputs->size()),
                                      "divide them over several entries"});
  const std::int64_t unit = input.kind == InputKind::Records ? input.record_size : 1;
  return Manifest(input.kind, std::move(*inputs), input.slice, unit, input.begin, input.items, entry.count);
}

}  // namespace

Result<Prepared> prepare(Config config, const PluginStore &store, const std::stop_token &stop) {
  Prepared prepared;
  prepared.host = std::move(config.host);
  prepared.entries.reserve(config.entries.size());
  Builds builds;
  for (EntryConfig &entry : config.entries) {
    auto build = find_build(entry, store, stop, builds);
    if (!build) return tl::unexpected(build.error());
    auto manifest = make_manifest(entry);
    if (!manifest) return tl::unexpected(manifest.error());
    prepared.entries.push_back({std::move(entry), std::move(*build), std::move(*manifest)});
  }
  return prepared;
}

}  // namespace hostler
