// The values of the control socket as JSON, both ways. Keys are the members' names, in snake_case; they are what `hostler
// status --json` prints and are only ever added to. A key that is missing leaves its default, an unknown one is
// ignored: host and command line may be of different versions. nlohmann-json is behind it, in status_json.cc alone.
//
//   status   {"pid", "version", "config", "state_dir", "up_seconds", "last_reload", "last_reload_ok", "stopping", "waits_for",
//             "jobs_ended", "entries": [{"name", "kind", "state", "reason", "plugin", "plugin_id", "version", "build", "newer_build", "held", "resumable",
//                          "stopped", "count", "workers": [{"instance", "state", "pid", "build", "up_seconds", "restarts",
//                          "last_exit": {"text", and unless that is empty "verdict", "code", "signal", "core"},
//                          "crash_report" (a path), "slice", "beats", "ready", "note"}],
//                          and of a job: "unit", "progress": {"slices", "done", "leased", "backoff", "quarantined", "isolated" (records),
//                          "positions", "positions_done", "positions_isolated", "retries", "skipped" (records),
//                          "positions_skipped"}, "rate" (positions a second), "eta_seconds" (-1: not known), "output", "counters": {NAME: number}}]}
//   error    {"error": "WHERE: WHAT (HINT)", "where", "what", "hint"}
//   reload   {"fresh": [NAME...], "resume": [NAME...]}, answered by {"ok", "text": [line...], "error"}
//   command  {"names": [NAME...], "all": false, "count": N (scale), "fresh": [NAME...], "resume": [NAME...] (start),
//            "slices": [INPUT-BEGIN...] (retry)}, answered likewise: a line for each entry; not ok with lines: it was done, and did not end well
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/attempt.h"
#include "core/error.h"
#include "core/job_report.h"
#include "core/operator_command.h"
#include "core/plan.h"
#include "core/status.h"

namespace hostler {

// What a reload did, or (check) would do.
struct ReloadReply {
  bool ok = true;
  std::vector<std::string> text;  // a line for each entry that is concerned
  std::string error;              // why not, when not ok
  bool operator==(const ReloadReply &) const = default;
};

// One build of a plugin in the plugins folder, as `hostler plugins --json` prints it.
struct PluginStatus {
  std::string file;
  std::string id;
  std::string version;
  std::string abi;
  std::string build;
  std::string error;                 // why it cannot be used, or empty
  std::vector<std::string> used_by;  // entries
};

// One committed result, as `hostler results --json` prints it.
struct ResultStatus {
  std::string slice;  // "INPUT-BEGIN", or "merge"
  std::int64_t input = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::string result;  // bytes; goes as "result" when it is UTF-8, else as "result_base64" (RFC 4648, with padding)
};

// One row of the ledger, as `hostler slices --json` prints it: positions in the same state.
struct SliceStatus {
  std::string slice;  // "NAME.INPUT-BEGIN", or "NAME.merge"; of several slices the first
  SliceRange range;
  std::string state;
  std::int32_t attempts = 0;  // charged
  std::int32_t put_off = 0;   // RETRY_LATER
  std::int32_t worker = -1;   // who works on it, or made the last attempt that was not done; -1: nobody that is known
  std::string verdict;        // of that attempt
  std::string reason;
  std::int64_t checkpoint = -1;  // where its next attempt goes on, as the plugin counts; -1: at its begin
};

// A record that was skipped or isolated, in `hostler failed --json`.
struct RecordStatus {
  std::int32_t input = 0;
  std::string path;  // empty without a file; goes as "path" when it is UTF-8, else as "path_base64"
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t line = 0;  // of the file, from 1 on; 0: not asked for, or not known
  std::string bytes;      // goes as "bytes" when it is UTF-8, else as "bytes_base64" (RFC 4648, with padding)
  std::string reason;
  std::optional<std::string> backtrace;  // of an isolated one, may be empty
};

// One line of `hostler joblog --json`.
struct AttemptStatus {
  std::string slice;
  Attempt attempt;
};

enum class Layout { Compact, Pretty };

// Bytes that are not UTF-8 become U+FFFD: JSON cannot carry them.
[[nodiscard]] std::string to_json(const HostStatus &status, Layout layout = Layout::Compact);
[[nodiscard]] std::string to_json(const Error &error);
[[nodiscard]] std::string to_json(const ReloadOptions &options);
[[nodiscard]] std::string to_json(const OperatorCommand &command);
[[nodiscard]] std::string to_json(const ReloadReply &reply);
[[nodiscard]] std::string to_json(const std::vector<PluginStatus> &plugins);
[[nodiscard]] std::string to_json(const ResultStatus &result);
[[nodiscard]] std::string to_json(const SliceStatus &slice);
[[nodiscard]] std::string to_json(const RecordStatus &record);
[[nodiscard]] std::string to_json(const AttemptStatus &attempt);
[[nodiscard]] std::string to_json(const JobReport &report);

[[nodiscard]] Result<HostStatus> status_from_json(std::string_view text);
[[nodiscard]] Result<Error> error_from_json(std::string_view text);
// Requests: a key that there is not is an error that names the nearest. An empty body asks for nothing in particular.
[[nodiscard]] Result<ReloadOptions> reload_request_from_json(std::string_view text);
// Its verb is not in it, but in the path of the request.
[[nodiscard]] Result<OperatorCommand> operator_command_from_json(std::string_view text);
[[nodiscard]] Result<ReloadReply> reload_reply_from_json(std::string_view text);

}  // namespace hostler
