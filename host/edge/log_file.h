// One log file, opened when there is something to write, rotated when it is full: PATH becomes PATH.1, PATH.1 becomes
// PATH.2 …, the oldest goes. A line is in one file, whole, or counted as dropped; how many were, and why, is written as
// soon as something can be written again. One thread, and nobody else writes to the file.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/config.h"
#include "core/error.h"
#include "core/time.h"
#include "edge/unique_fd.h"

namespace hostler {

// As log lines have it. Any thread.
[[nodiscard]] UnixMilliseconds wall_clock();

class LogFile {
 public:
  explicit LogFile(std::string path, LogConfig limits = {}) : path_(std::move(path)), limits_(limits) {}

  // Opens now what would otherwise be opened by the first flush.
  [[nodiscard]] Result<void> open();
  void add_line(std::string_view prefix, std::string_view text);
  // Writes all lines added since the last flush, and first of all the notice that is due, in as few writes as can be.
  void flush();
  // Opens the file anew, if it was open. Should that fail, the next flush tries again.
  void reopen();
  // From the next line on.
  void set_limits(const LogConfig &limits) { limits_ = limits; }

  [[nodiscard]] const std::string &path() const { return path_; }
  [[nodiscard]] std::size_t pending_bytes() const { return pending_.size(); }
  // While writing fails: lines dropped so far, and the errno; else 0.
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }
  [[nodiscard]] int error() const { return error_; }
  // The errno while a full file cannot be renamed, and so grows on; else 0.
  [[nodiscard]] int rotation_error() const { return rotation_error_; }

 private:
  [[nodiscard]] int open_file();
  [[nodiscard]] std::int64_t write_lines(std::string_view text);
  [[nodiscard]] std::int64_t write_all(std::string_view text);
  [[nodiscard]] bool is_full_for(std::size_t line);
  void rotate();
  [[nodiscard]] bool has_its_name() const;
  void end_at_a_line(std::size_t of_a_line);

  std::string path_;
  LogConfig limits_;
  UniqueFd fd_;
  std::int64_t size_ = 0;         // of the open file, as far as we know: somebody may have truncated it
  std::int64_t grows_until_ = 0;  // after a rotation that failed: no other try below this size
  std::string pending_;
  std::int64_t dropped_ = 0;
  int error_ = 0;
  int rotation_error_ = 0;
  bool torn_ = false;  // the last line in the file was cut by an error and could not be taken back
};

}  // namespace hostler
