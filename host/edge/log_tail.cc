#include "edge/log_tail.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

namespace hostler {
namespace {

constexpr std::size_t kTailPiece = std::size_t{64} << 10;
constexpr int kMostFileLooks = 1000;  // at files that are being renamed again and again

bool is_before(const timespec &a, const timespec &b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec;
}

}  // namespace

std::optional<std::string_view> LogTail::peek() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      searched_ = end;
      return std::string_view(buffer_).substr(begin_, end - begin_);
    }
    searched_ = buffer_.size();
    if (!read_more() && !next_file()) return std::nullopt;
  }
}

void LogTail::take() {
  begin_ = searched_ = buffer_.find('\n', searched_) + 1;
}

// What stands behind the last '\n' is read anew each time: the writer takes back the beginning of a line that finds no
// room on a full disk.
bool LogTail::read_more() {
  if (!fd_) return false;
  const std::size_t held = buffer_.size() - begin_;
  offset_ += static_cast<off_t>(begin_);
  struct stat info {};
  const bool is_truncated = ::fstat(fd_.get(), &info) == 0 && info.st_size < offset_;
  if (is_truncated) offset_ = 0;
  forget();
  buffer_.resize(std::max(kTailPiece, 2 * held));
  const ssize_t count = ::pread(fd_.get(), buffer_.data(), buffer_.size(), offset_);
  buffer_.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return is_truncated || buffer_.size() > held;
}

// Youngest first. While files are renamed one may be seen twice, but none of those that were there is missed: a file only
// moves on to where this looks next.
std::vector<LogTail::Named> LogTail::files_once() const {
  std::vector<Named> files;
  int missing = 0;
  // One number may be empty at a time while files move up, and NAME.log while it is opened anew.
  for (int number = 0; missing < 3; ++number) {
    Named file{number == 0 ? path_ : fmt::format("{}.{}", path_, number), {}};
    struct stat info {};
    if (::lstat(file.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
      ++missing;
      continue;
    }
    missing = 0;
    file.id = {info.st_dev, info.st_ino};
    file.written_at = info.st_mtim;
    files.push_back(std::move(file));
  }
  return files;
}

// Nothing: they did not hold still.
std::optional<std::vector<LogTail::Named>> LogTail::files() const {
  std::vector<Named> before = files_once();
  for (int look = 0; look < kMostFileLooks; ++look) {
    std::vector<Named> now = files_once();
    if (now == before) return now;
    before = std::move(now);
  }
  return std::nullopt;
}

// Goes on to the file after this one. It is opened first, and only then is this one known to grow no more: what was
// added to it in between is read before.
bool LogTail::next_file() {
  if (following_) {
    fd_ = std::move(following_);
    former_id_ = std::exchange(id_, following_id_);
    offset_ = 0;
    forget();
    return true;
  }
  if (struct stat youngest{};
      fd_ && ::lstat(path_.c_str(), &youngest) == 0 && FileId{youngest.st_dev, youngest.st_ino} == id_)
    return false;
  for (int look = 0; look < kMostFileLooks; ++look) {
    const auto files = this->files();
    if (!files) return false;
    const auto next = next_of(*files);
    if (!next) return false;
    UniqueFd fd(::open(next->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat info {};
    if (!fd && errno != ENOENT) return false;
    if (!fd || ::fstat(fd.get(), &info) != 0 || FileId{info.st_dev, info.st_ino} != next->id) continue;
    following_ = std::move(fd);
    following_id_ = next->id;
    return fd_ ? true : next_file();
  }
  return false;
}

// The file after the one that is read. That may have been removed, as the oldest, or renamed by somebody: then the oldest
// that was written after it.
std::optional<LogTail::Named> LogTail::next_of(const std::vector<Named> &files) {
  const auto ours = std::find_if(files.begin(), files.end(), [this](const Named &file) { return file.id == id_; });
  if (fd_ && ours == files.begin()) return std::nullopt;
  if (fd_ && ours != files.end()) return *std::prev(ours);
  struct stat info {};
  if (fd_ && ::fstat(fd_.get(), &info) != 0) return std::nullopt;
  const auto oldest = std::find_if(files.rbegin(), files.rend(), [&](const Named &file) {
    if (!fd_ || is_before(info.st_mtim, file.written_at)) return true;
    return !is_before(file.written_at, info.st_mtim) && file.id != former_id_;  // written at the same tick
  });
  if (oldest == files.rend()) return std::nullopt;
  if (fd_ && oldest != std::prev(files.rend())) ++gaps_;
  return *oldest;
}

void LogTail::forget() {
  buffer_.clear();
  begin_ = searched_ = 0;
}

}  // namespace hostler
