// The workers' stdout and stderr, line by line, in STATE/logs/ENTRY.log, and the host's own words in STATE/host.log.
// One thread of its own moves the lines, so that neither a slow disk nor a chatty worker slows the host. A line is
// "2026-01-31T12:00:00.123Z ENTRY/INSTANCE[PID] text".
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/error.h"
#include "core/log_level.h"
#include "edge/unique_fd.h"

namespace hostler {

class LogFiles {
 public:
  // `echo`: the host's own lines go to stderr as well (a host in the foreground).
  [[nodiscard]] static Result<std::unique_ptr<LogFiles>> open(const std::string &state_dir, bool echo);
  ~LogFiles();  // writes what is still in the pipes, then ends the thread

  // Takes the read end of a worker's pipe and reads it to its end. From any thread.
  void add(UniqueFd pipe, std::string entry, std::int32_t instance, std::int32_t pid);
  // A line of the host's own. From any thread; never blocks, never fails.
  void host(LogLevel level, std::string text);
  // Opens every file anew (it may have been renamed). From any thread.
  void reopen();

 private:
  struct Impl;
  explicit LogFiles(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostler
