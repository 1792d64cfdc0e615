#include "edge/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "core/log_text.h"

namespace hostler {
namespace {

UnixMilliseconds wall_clock() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t count_lines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace

Result<void> LogFile::open() {
  const int error = open_file();
  if (error != 0) return fail(path_, "cannot be opened: " + std::generic_category().message(error));
  return {};
}

int LogFile::open_file() {
  if (fd_) return 0;
  fd_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640));
  return fd_ ? 0 : errno;
}

void LogFile::reopen() {
  if (!fd_) return;
  fd_.reset();
  [[maybe_unused]] const int error = open_file();
}

void LogFile::add_line(std::string_view prefix, std::string_view text) {
  pending_.append(prefix).append(text).push_back('\n');
}

void LogFile::flush() {
  if (pending_.empty()) return;
  if (dropped_ > 0) {
    const std::string notice = fmt::format("{} {} lines were dropped: {}\n", timestamp(wall_clock()), dropped_,
                                           std::generic_category().message(error_));
    if (write_all(notice) == 0) dropped_ = 0;
  }
  dropped_ += dropped_ == 0 ? write_all(pending_) : count_lines(pending_);
  pending_.clear();
}

// Returns how many lines are not in the file.
std::int64_t LogFile::write_all(std::string_view text) {
  const int refused = open_file();
  if (refused != 0) {
    error_ = refused;
    return count_lines(text);
  }
  if (torn_ && ::write(fd_.get(), "\n", 1) == 1) torn_ = false;
  while (!text.empty()) {
    const ssize_t count = ::write(fd_.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      error_ = errno;
      return count_lines(text);
    }
    const auto written = static_cast<std::size_t>(count);
    torn_ = written > 0 && text[written - 1] != '\n';
    text.remove_prefix(written);
  }
  error_ = 0;
  return 0;
}

}  // namespace hostler
