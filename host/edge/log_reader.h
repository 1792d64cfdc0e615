// Reads what LogFiles writes: the lines of one entry's log, of one instance of it, or of all entries merged by time, from
// the oldest rotated file on; and goes on as they grow, are rotated, renamed and opened anew. Blocking only on the disk;
// one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

class LogTail;

// Which lines: everything, of one entry, of one instance.
struct LogFilter {
  std::optional<std::string> entry;
  std::optional<std::string> instance;
};

class LogReader {
 public:
  [[nodiscard]] static Result<LogReader> open(const std::string &logs_dir, LogFilter filter);
  LogReader(LogReader &&) noexcept;
  LogReader &operator=(LogReader &&) noexcept;
  ~LogReader();

  // Hands out, without '\n', all whole lines that have been added since the last time.
  void read(const std::function<void(std::string_view line)> &take);
  // Readable when there may be more to read.
  [[nodiscard]] int changes_fd() const { return changes_.get(); }
  // Is there a log that the filter could take lines from?
  [[nodiscard]] bool has_logs() const { return !tails_.empty(); }
  // How often files were removed before they could be read: the lines came faster than they were taken.
  [[nodiscard]] int gaps() const;

 private:
  LogReader(std::string logs_dir, LogFilter filter, UniqueFd changes);
  void drain_changes() const;
  void find_logs();
  [[nodiscard]] bool wants(std::string_view line) const;

  std::string logs_dir_;
  LogFilter filter_;
  UniqueFd changes_;
  std::map<std::string, std::unique_ptr<LogTail>> tails_;  // by entry
};

// The entries that have a log in this folder, in order.
[[nodiscard]] std::vector<std::string> logged_entries(const std::string &logs_dir);

}  // namespace hostler
