// The values of workers.yaml with the defaults of docs/design.md: plain data, no file is touched here.
// edge/config_yaml reads the file into these; every path in them is absolute by then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"
#include "core/machine.h"
#include "core/time.h"

namespace hostler {

enum class InputKind : std::int32_t { None = 0, Range = 1, Lines = 2, Records = 3, File = 4, Items = 5 };

// Never changed once it is made; copies share what they hold, also across threads: a million items are kept once.
class ItemList {
 public:
  ItemList() = default;
  ItemList(std::vector<std::string> items)  // implicit: a list by another name
      : items_(items.empty() ? nullptr : std::make_shared<const std::vector<std::string>>(std::move(items))) {}
  [[nodiscard]] const std::vector<std::string> &all() const {
    static const std::vector<std::string> none;
    return items_ ? *items_ : none;
  }

 private:
  std::shared_ptr<const std::vector<std::string>> items_;
};

struct InputConfig {
  InputKind kind = InputKind::None;
  std::vector<std::string> patterns;  // Lines, Records, File: absolute paths or globs, in the order written
  std::int64_t slice = 0;             // positions (bytes, numbers, items) a slice; 0: the default of the kind
  std::int64_t record_size = 1;       // Records: bytes
  std::int64_t begin = 0;             // Range: half-open
  std::int64_t end = 0;
  ItemList items;          // Items, from items: or, already read, from items_file:
  std::string items_file;  // where the items came from, or empty
};

struct RestartConfig {
  Duration delay = std::chrono::milliseconds(100);
  Duration max_delay = std::chrono::seconds(30);
  double factor = 2;
  double jitter = 0.2;  // the delay is spread by ± this part of itself
  Duration reset_after = std::chrono::seconds(60);
  std::int64_t limit = 10;  // restarts within `within`, then Failed
  Duration within = std::chrono::seconds(60);
  bool operator==(const RestartConfig &) const = default;
};

struct StopConfig {
  Duration drain = std::chrono::seconds(10);
  int signal = 15;
  Duration grace = std::chrono::seconds(10);
  bool operator==(const StopConfig &) const = default;
};

// "3" or "3%": how many of a whole may fail.
struct Tolerance {
  std::int64_t count = 0;
  double percent = 0;
  [[nodiscard]] bool allows(std::int64_t failed, std::int64_t all) const {
    return failed <= count || static_cast<double>(failed) * 100.0 <= percent * static_cast<double>(all);
  }
  bool operator==(const Tolerance &) const = default;
};

// A worker makes place for a new process after so many slices, or beyond so much resident memory; 0: never.
struct RecycleConfig {
  std::int64_t slices = 0;
  std::int64_t memory = 0;  // bytes
  bool operator==(const RecycleConfig &) const = default;
};

enum class OnChange { Ask, Fresh, Resume };

// What a rule of `on_exit:` makes of a child that left so: for slices Done to Quarantine, for services Restart and Reap,
// for both FailEntry.
enum class ExitAction { Done, Retry, RetryLater, Quarantine, Restart, Reap, FailEntry };

// The first rule that names the code or the signal decides (core/on_exit).
struct ExitRule {
  std::vector<std::int32_t> codes;  // 0 to 255: what run() returned, or what the process exited with by itself
  std::vector<int> signals;         // what the process was killed by, if not by the host
  ExitAction action = ExitAction::Retry;
  bool operator==(const ExitRule &) const = default;
};

struct EntryConfig {
  std::string where;         // "FILE:LINE:COLUMN: workers[I]" for errors found later
  std::string plugin_where;  // likewise "…: workers[I].plugin"
  std::string input_where;   // likewise, of a job
  std::string output_where;  // likewise; of the entry when it names none
  std::string name;
  std::string plugin;      // absolute path in the plugins folder
  std::string sha256;      // lower-case hex, or empty: no pin
  std::int32_t count = 1;  // `auto` is resolved by the reader
  std::string cwd;
  InputConfig input;
  std::string output;                         // jobs: the OUTPUT folder
  std::map<std::string, std::string> params;  // scalars as written; lists and maps as JSON
  std::map<std::string, std::string> env;
  std::vector<ExitRule> on_exit;  // in order
  RestartConfig restart;
  std::int32_t attempts = 4;
  Tolerance max_failed;
  Tolerance max_skipped;  // a number: records; a percentage: of positions
  std::int32_t max_temporary = 100;
  std::int32_t max_bisect = 256;  // attempts that bisecting one slice may cost; 0: none is bisected
  bool split = true;              // jobs: a slice may be cut, if the plugin allows it
  OnChange on_change = OnChange::Ask;
  std::optional<Duration> time_limit;  // jobs: of a slice, and of merge()
  std::optional<Duration> watchdog;    // no claim, heartbeat or progress for so long: hung
  StopConfig stop;
  RecycleConfig recycle;
  Limits limits;
  std::optional<User> user;  // who is not the host's own
  std::vector<std::string> depends_on;

  [[nodiscard]] bool is_job() const { return input.kind != InputKind::None; }
};

// How long a log file grows and how many former ones are kept beside it (NAME.log.1 is the youngest).
struct LogConfig {
  std::int64_t size = std::int64_t{16} << 20;  // bytes; only a single line that is longer makes a file larger
  std::int32_t keep = 4;                       // 0: what was in a full file is gone
  bool operator==(const LogConfig &) const = default;
};

struct HostConfig {
  std::string plugins;
  std::string state;
  std::uint32_t umask = 027;
  LogConfig logs;
};

struct Config {
  std::string file;  // absolute path of workers.yaml
  HostConfig host;
  std::vector<EntryConfig> entries;  // in the order written, includes in place of their line
};

}  // namespace hostler
