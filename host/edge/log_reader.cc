#include "edge/log_reader.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace hostler {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;
constexpr std::size_t kStampSize = 24;  // "2026-01-31T12:00:00.123Z"
constexpr std::string_view kSuffix = ".log";

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId &) const = default;
};

}  // namespace

// One log, line by line, through renames and truncation.
class LogTail {
 public:
  explicit LogTail(std::string path) : path_(std::move(path)) {}

  // The next whole line, valid until take(); nothing: there is none yet.
  [[nodiscard]] std::optional<std::string_view> peek() {
    for (;;) {
      const std::size_t end = buffer_.find('\n', searched_);
      if (end != std::string::npos) return std::string_view(buffer_).substr(begin_, end - begin_);
      searched_ = buffer_.size();
      if (!read_more() && !next_file()) return std::nullopt;
    }
  }
  void take() { begin_ = searched_ = buffer_.find('\n', searched_) + 1; }

 private:
  bool read_more() {
    if (!fd_) return false;
    struct stat info {};
    if (::fstat(fd_.get(), &info) == 0 && info.st_size < offset_) {  // truncated: from the start again
      offset_ = 0;
      forget();
    }
    buffer_.erase(0, std::exchange(begin_, 0));
    searched_ = buffer_.size();
    buffer_.resize(searched_ + kReadAtOnce);
    const ssize_t count = ::pread(fd_.get(), buffer_.data() + searched_, kReadAtOnce, offset_);
    buffer_.resize(searched_ + (count > 0 ? static_cast<std::size_t>(count) : 0));
    offset_ += std::max<ssize_t>(count, 0);
    return count > 0;
  }
  // The file that has this name now, if it is another one.
  bool next_file() {
    UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
    const FileId id{info.st_dev, info.st_ino};
    if (id == id_) return false;
    id_ = id;
    fd_ = std::move(fd);
    offset_ = 0;
    forget();
    return true;
  }
  void forget() {
    buffer_.clear();
    begin_ = searched_ = 0;
  }

  std::string path_;
  UniqueFd fd_;
  FileId id_;
  off_t offset_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;     // of the first line not taken
  std::size_t searched_ = 0;  // up to here there is no '\n' behind begin_
};

LogReader::LogReader(std::string logs_dir, LogFilter filter, UniqueFd changes)
    : logs_dir_(std::move(logs_dir)), filter_(std::move(filter)), changes_(std::move(changes)) {
  find_logs();
}
LogReader::LogReader(LogReader &&) noexcept = default;
LogReader &LogReader::operator=(LogReader &&) noexcept = default;
LogReader::~LogReader() = default;

Result<LogReader> LogReader::open(const std::string &logs_dir, LogFilter filter) {
  UniqueFd changes(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!changes) return fail("inotify", std::generic_category().message(errno));
  if (::inotify_add_watch(changes.get(), logs_dir.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
    return fail(logs_dir, "cannot be watched: " + std::generic_category().message(errno));
  return LogReader(logs_dir, std::move(filter), std::move(changes));
}

void LogReader::drain_changes() const {
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(changes_.get(), events.data(), events.size()) > 0) continue;
}

void LogReader::find_logs() {
  for (const auto &entry : logged_entries(logs_dir_)) {
    if (filter_.entry && entry != *filter_.entry) continue;
    auto &tail = tails_[entry];
    if (!tail) tail = std::make_unique<LogTail>(logs_dir_ + "/" + entry + std::string(kSuffix));
  }
}

// The label behind the stamp is " ENTRY/INSTANCE[PID] ".
bool LogReader::wants(std::string_view line) const {
  if (!filter_.instance) return true;
  const std::string label = " " + *filter_.entry + "/" + *filter_.instance + "[";
  return line.substr(std::min(kStampSize, line.size())).starts_with(label);
}

void LogReader::read(const std::function<void(std::string_view)> &take) {
  drain_changes();  // before reading: what comes from now on is told again
  find_logs();
  std::vector<LogTail *> open;  // those that may have a line; one that had none is not asked again
  for (const auto &[entry, tail] : tails_) open.push_back(tail.get());
  for (;;) {
    std::erase_if(open, [](LogTail *tail) { return !tail->peek(); });
    if (open.empty()) return;
    LogTail *earliest = *std::min_element(open.begin(), open.end(), [](LogTail *a, LogTail *b) {
      return a->peek()->substr(0, kStampSize) < b->peek()->substr(0, kStampSize);
    });
    const std::string_view line = *earliest->peek();
    if (wants(line)) take(line);
    earliest->take();
  }
}

std::vector<std::string> logged_entries(const std::string &logs_dir) {
  std::vector<std::string> entries;
  std::error_code error;
  for (const auto &file : std::filesystem::directory_iterator(logs_dir, error)) {
    const std::string name = file.path().filename().string();
    if (name.ends_with(kSuffix)) entries.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace hostler
