// The workers' stdout and stderr, line by line, in STATE/logs/ENTRY.log, and the host's own words in STATE/host.log; full
// files are rotated. One thread of its own moves the lines, so that neither a slow disk nor a chatty worker slows the
// host; it takes a piece of each worker's output in turn, so that none slows another. One that has printed 32 MiB more than
// 16 MiB a second is read at that pace, and more of those share 64 MiB a second: it waits in its write, and leaves the
// processors and the disk to the others. A line is
// "2026-01-31T12:00:00.123Z ENTRY/INSTANCE[PID] text".
//
// What a worker has written before its death is read to its end. A file that cannot be written loses lines, counted in
// it and said in host.log, and is tried again; its workers are not held up.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/config.h"
#include "core/error.h"
#include "core/log_level.h"
#include "edge/unique_fd.h"

namespace hostler {

class LogFiles {
 public:
  // `echo`: the host's own lines go to stderr as well (a host in the foreground).
  [[nodiscard]] static Result<std::unique_ptr<LogFiles>> open(const std::string &state_dir, bool echo,
                                                              const LogConfig &limits = {});
  ~LogFiles();  // writes what is still in the pipes, then ends the thread

  // Reads a worker's pipe to its end, and then lets go of this end, which others may hold too. From any thread.
  void add(std::shared_ptr<const UniqueFd> pipe, std::string entry, std::int32_t instance, std::int32_t pid);
  // A line of the host's own. From any thread; never blocks, never fails.
  void host(LogLevel level, std::string text);
  // Holds for every file from its next line on. From any thread.
  void set_limits(const LogConfig &limits);
  // Opens every file anew (it may have been renamed). From any thread.
  void reopen();

 private:
  struct Impl;
  explicit LogFiles(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostler
