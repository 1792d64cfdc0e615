#include "edge/log_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "core/log_text.h"
#include "edge/disk_error.h"

namespace hostler {
namespace {

constexpr std::size_t kMostSpare = 4096;  // bytes of memory, of a file that has nothing to write

std::int64_t count_lines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n');
}

std::int64_t size_of(const UniqueFd &fd) {
  struct stat info {};
  return ::fstat(fd.get(), &info) == 0 ? info.st_size : 0;
}

// PATH becomes PATH.1, and so on; `keep` are left. From the oldest on, so at every moment a higher number is older and a
// file is at its old name or its new one. Returns 0 or the errno.
int shift_files(const std::string &path, std::int32_t keep) {
  const auto numbered = [&](std::int32_t number) { return number == 0 ? path : fmt::format("{}.{}", path, number); };
  // More than one only if `keep` has become smaller.
  for (std::int32_t last = std::max(keep, 1); ::unlink(numbered(last).c_str()) == 0;) ++last;
  if (keep == 0) return ::unlink(path.c_str()) == 0 ? 0 : errno;
  for (std::int32_t number = keep; number-- > 0;)
    if (::rename(numbered(number).c_str(), numbered(number + 1).c_str()) != 0 && (errno != ENOENT || number == 0))
      return errno;
  return 0;
}

}  // namespace

UnixMilliseconds wall_clock() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Result<void> LogFile::open() {
  const int error = open_file();
  if (error != 0) return fail(path_, "cannot be opened: " + error_words(error));
  return {};
}

int LogFile::open_file() {
  if (fd_) return 0;
  // O_NONBLOCK: a FIFO that nobody reads is an error, and not waited for.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  fd_.reset(::open(path_.c_str(), kFlags, 0640));
  if (!fd_) return errno;
  size_ = size_of(fd_);
  grows_until_ = 0;
  if (size_ == 0) torn_ = false;
  return 0;
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
  if (dropped_ > 0) {
    const std::string notice =
        fmt::format("{} {} lines were dropped: {}\n", timestamp(wall_clock()), dropped_, error_words(error_));
    if (write_lines(notice) == 0) dropped_ = 0;
  }
  if (pending_.empty()) return;
  dropped_ += dropped_ == 0 ? write_lines(pending_) : count_lines(pending_);
  pending_.clear();
  if (pending_.capacity() > kMostSpare) pending_.shrink_to_fit();  // thousands of quiet files must not cost their peaks
}

// Whole lines, cut where a file is full. Returns how many of them are in no file.
std::int64_t LogFile::write_lines(std::string_view text) {
  while (!text.empty()) {
    if (const int refused = open_file(); refused != 0) {
      error_ = refused;
      return count_lines(text);
    }
    if (is_full_for(text.find('\n') + 1)) {
      rotate();
      continue;
    }
    const std::int64_t room = std::max(limits_.size, grows_until_) - size_;
    std::size_t part = text.size();
    if (room < static_cast<std::int64_t>(part)) {
      const std::size_t last = room > 0 ? text.rfind('\n', static_cast<std::size_t>(room) - 1) : std::string_view::npos;
      part = (last == std::string_view::npos ? text.find('\n') : last) + 1;
    }
    if (const std::int64_t lost = write_all(text.substr(0, part)); lost > 0)
      return lost + count_lines(text.substr(part));
    text.remove_prefix(part);
  }
  return 0;
}

// A file that holds nothing takes a line of any length.
bool LogFile::is_full_for(std::size_t line) {
  const auto after = [&] { return size_ + static_cast<std::int64_t>(line); };
  if (size_ == 0 || after() <= std::max(limits_.size, grows_until_)) return false;
  size_ = size_of(fd_);
  return size_ > 0 && after() > std::max(limits_.size, grows_until_);
}

// Somebody may have renamed the file already and not said so yet: then only a new one is opened.
void LogFile::rotate() {
  rotation_error_ = has_its_name() ? shift_files(path_, limits_.keep) : 0;
  if (rotation_error_ == 0)
    fd_.reset();
  else
    grows_until_ = size_ + limits_.size;
}

bool LogFile::has_its_name() const {
  struct stat ours {};
  struct stat named {};
  return ::fstat(fd_.get(), &ours) == 0 && ::lstat(path_.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
         ours.st_ino == named.st_ino;
}

// Returns how many lines are not in the file; what there is of the first of them is taken back.
std::int64_t LogFile::write_all(std::string_view text) {
  if (torn_ && ::write(fd_.get(), "\n", 1) == 1) {
    torn_ = false;
    ++size_;
  }
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(fd_.get(), text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      error_ = errno;
      const std::size_t whole = text.substr(0, written).rfind('\n') + 1;  // npos + 1 is 0
      end_at_a_line(written - whole);
      return count_lines(text.substr(whole));
    }
    written += static_cast<std::size_t>(count);
    size_ += count;
  }
  error_ = 0;
  return 0;
}

void LogFile::end_at_a_line(std::size_t of_a_line) {
  if (of_a_line == 0) return;
  size_ = size_of(fd_) - static_cast<std::int64_t>(of_a_line);
  if (size_ >= 0 && ::ftruncate(fd_.get(), size_) == 0) return;
  torn_ = true;
  size_ = size_of(fd_);
}

}  // namespace hostler
