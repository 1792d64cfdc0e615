// What a reload does: the difference between what runs and what is wanted, entry by entry, as values that can be shown
// before they are applied. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/error.h"
#include "core/job.h"
#include "core/slicing.h"

namespace hostler {

// What the inspection of a plugin found.
struct Build {
  std::string hash;     // over the plugin and the libraries of its own beside it, hex
  std::string library;  // the copy in the store that workers load
  std::string id;
  std::string version;
  std::int64_t flags = 0;
  std::int64_t state_version = 0;
  bool has_merge = false;
  std::string abi;                                                       // that it was built for: "1.0"
  [[nodiscard]] bool is_splittable() const { return (flags & 1) != 0; }  // HOSTLER_SPLITTABLE
  bool operator==(const Build &) const = default;
};

// An entry with all that had to be looked at outside: ready to run.
struct PreparedEntry {
  EntryConfig config;
  Build build;
  Manifest manifest;  // jobs
};

struct Prepared {
  HostConfig host;
  std::vector<PreparedEntry> entries;
};

enum class EntryAction {
  Keep,     // nothing changed
  Adjust,   // only what no running worker notices: count, limits, delays
  Add,      // start it
  Remove,   // drain and reap
  Replace,  // its workers make place for new ones (job: after the slice they are in)
  Rebuild,  // it has become another kind of entry: remove, then add
  Hold,     // job: changed, keeps its old settings until told --fresh or --resume
  Fresh,    // job: from zero
  Resume,   // job: planned again, what is done is kept
};
[[nodiscard]] std::string_view name(EntryAction action);

struct EntryPlan {
  std::string name;
  EntryAction action = EntryAction::Keep;
  std::string words;       // "count 4 → 6, plugin 1a2b… → 3c4d…"; empty for Keep
  bool resumable = false;  // Hold: --resume would be accepted; the supervisor knows, plan() does not
};

// "fresh    NAME: params changed".
[[nodiscard]] std::string plan_line(const EntryPlan &plan);
// Does what was begun by an earlier host go on in another way, or not at all?
[[nodiscard]] bool changes_begun_work(const EntryPlan &plan);

// What a reload changes.
struct ReloadPlan {
  std::string host;                // of `host:`, in words ("umask 027 → 022, logs.keep 4 → 2"); empty: nothing
  std::vector<EntryPlan> entries;  // in the order of the file, then the removals
};

// The entries as they run, by name; of a held job the settings it keeps. Names and entries must stay.
using CurrentEntries = std::map<std::string_view, const PreparedEntry *>;

// A job as the ledger has it, whether its entry runs or not.
struct PlannedJob {
  JobIdentity identity;
  const Manifest *manifest = nullptr;
  bool unfinished = false;  // it has ended, or was stopped for good, with something left to do
  bool ended = false;
  std::string last_build{};  // what made its last attempt, or empty
};

// "--fresh NAME or --resume NAME": what a person may say to a held job.
[[nodiscard]] std::string ways_on(const std::string &name, bool resumable);

// The names given with --fresh and --resume.
struct ReloadOptions {
  std::vector<std::string> fresh;
  std::vector<std::string> resume;
  bool operator==(const ReloadOptions &) const = default;
};

// In the order of `wanted`, then the removals. An error when the options name what is not a job, or both.
[[nodiscard]] Result<std::vector<EntryPlan>> plan(const CurrentEntries &current,
                                                  const std::map<std::string, PlannedJob> &planned,
                                                  const std::vector<PreparedEntry> &wanted,
                                                  const ReloadOptions &options);

// What of `host:` holds from a reload on, in words; empty when nothing changes. `state` cannot change in a running host.
[[nodiscard]] std::string host_changes(const HostConfig &was, const HostConfig &now);

// What of a job's configuration is its identity: a change asks for --fresh or --resume.
[[nodiscard]] JobIdentity identity_of(const EntryConfig &config);

}  // namespace hostler
