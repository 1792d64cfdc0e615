// What runs, as plain values: built by the supervisor, carried as JSON (edge/status_json), shown by the command line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/job.h"
#include "core/page.h"

namespace hostler {

// How the last process of a slot left: words, and the raw numbers beside them.
struct LastExit {
  std::string text;         // empty: none has left yet
  std::string verdict;      // "crash", "timeout" … (core/exit_status)
  std::int32_t code = -1;   // what run() returned, or else it exited with; -1 also when it was killed, or never started
  std::int32_t signal = 0;  // what it was killed by, or 0
  bool core = false;        // it left a core file
};

// What a plugin has told with progress(), as it counts.
struct WorkerProgress {
  std::int64_t done = 0;
  std::int64_t total = 0;  // 0: it has not told
};
// Nothing in it is trusted: at most all is done, and nothing is negative.
[[nodiscard]] inline WorkerProgress progress_of(const WorkerPart &page) {
  const std::int64_t total = std::max<std::int64_t>(page.progress_total, 0);
  const std::int64_t done = std::max<std::int64_t>(page.progress_done, 0);
  return {total == 0 ? done : std::min(done, total), total};
}

struct WorkerStatus {
  std::int32_t instance = 0;
  std::string state;  // "running", "backoff", …
  std::int32_t pid = 0;
  std::string build;      // first 12 hex digits
  double up_seconds = 0;  // since run() was entered, while it runs
  std::int64_t restarts = 0;
  LastExit last_exit;
  std::string crash_report;  // the path of the file about it, or empty
  std::string slice;         // "NAME.INPUT-BEGIN" while a slice runs
  WorkerProgress progress;   // of this process, in its slice
  std::int64_t beats = 0;    // heartbeats and progress calls of this process
  bool ready = false;        // the plugin has said that it is up
  std::string note;          // "again in 400ms", why it failed …
};

struct EntryStatus {
  std::string name;
  std::string kind;    // "service", "job"
  std::string state;   // "running", "stopped", "succeeded", …
  std::string reason;  // why, or empty
  std::string plugin;  // file name
  std::string plugin_id;
  std::string version;
  std::string build;         // first 12 hex digits of what new workers load
  bool newer_build = false;  // some worker still runs an older one
  std::string held;          // what changed in workers.yaml and waits for --fresh or --resume, or empty
  bool resumable = false;    // … and --resume would be accepted
  bool stopped = false;      // by an operator: only `start` starts it again
  std::int32_t count = 0;    // wanted: that of the file, or what `scale` made of it
  std::vector<WorkerStatus> workers;
  std::map<std::string, std::int64_t> more;  // workers that are not listed, by state
  std::string unit;                          // jobs: what a position is, "bytes", "numbers" or "items"
  JobProgress progress;                      // jobs
  double rate = 0;                           // positions a second of late
  double eta_seconds = -1;                   // -1: not known
  std::string output;                        // jobs
  std::map<std::string, std::int64_t> counters;
};

struct HostStatus {
  std::int32_t pid = 0;
  std::string version;
  std::string config;
  std::string state_dir;
  double up_seconds = 0;
  std::string last_reload;  // "applied: …", "nothing to change", "rejected: …"
  bool last_reload_ok = true;
  bool stopping = false;
  std::string waits_for;    // what the ledger and the output folders wait for (a full disk), or empty
  bool jobs_ended = false;  // every job of the file has ended (false without a job)
  std::vector<EntryStatus> entries;
};

}  // namespace hostler
