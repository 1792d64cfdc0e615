// One append-only log file, opened when there is something to write. A line is written whole or counted as dropped; how
// many were, and why, is written as soon as something can be written again. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

class LogFile {
 public:
  explicit LogFile(std::string path) : path_(std::move(path)) {}

  // Opens now what would otherwise be opened by the first flush.
  [[nodiscard]] Result<void> open();
  void add_line(std::string_view prefix, std::string_view text);
  // Writes all lines added since the last flush, in one write where the system takes it.
  void flush();
  // Opens the file anew, if it was open. Should that fail, the next flush tries again.
  void reopen();

  [[nodiscard]] const std::string &path() const { return path_; }
  [[nodiscard]] std::size_t pending_bytes() const { return pending_.size(); }
  // While writing fails: lines dropped so far, and the errno; else 0.
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }
  [[nodiscard]] int error() const { return error_; }

 private:
  [[nodiscard]] int open_file();
  [[nodiscard]] std::int64_t write_all(std::string_view text);

  std::string path_;
  UniqueFd fd_;
  std::string pending_;
  std::int64_t dropped_ = 0;
  int error_ = 0;
  bool torn_ = false;  // the last line in the file was cut by an error
};

}  // namespace hostler
