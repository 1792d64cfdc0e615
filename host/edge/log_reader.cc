#include "edge/log_reader.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "edge/disk_error.h"
#include "edge/log_tail.h"

namespace hostler {
namespace {

constexpr std::size_t kStampSize = 24;  // "2026-01-31T12:00:00.123Z"
constexpr std::string_view kSuffix = ".log";

}  // namespace

LogReader::LogReader(std::string logs_dir, LogFilter filter, UniqueFd changes)
    : logs_dir_(std::move(logs_dir)), filter_(std::move(filter)), changes_(std::move(changes)) {
  find_logs();
}
LogReader::LogReader(LogReader &&) noexcept = default;
LogReader &LogReader::operator=(LogReader &&) noexcept = default;
LogReader::~LogReader() = default;

Result<LogReader> LogReader::open(const std::string &logs_dir, LogFilter filter) {
  UniqueFd changes(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!changes) return fail("inotify", error_words(errno));
  if (::inotify_add_watch(changes.get(), logs_dir.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
    return fail(logs_dir, "cannot be watched: " + error_words(errno));
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

int LogReader::gaps() const {
  int gaps = 0;
  for (const auto &[entry, tail] : tails_) gaps += tail->gaps();
  return gaps;
}

std::vector<std::string> logged_entries(const std::string &logs_dir) {
  std::set<std::string> entries;
  std::error_code error;
  for (const auto &file : std::filesystem::directory_iterator(logs_dir, error)) {
    const std::string name = file.path().filename().string();
    // "NAME.log", "NAME.log.3"; the names of entries hold no dot.
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos || dot == 0) continue;
    std::string_view rest = std::string_view(name).substr(dot);
    if (!rest.starts_with(kSuffix)) continue;
    rest.remove_prefix(kSuffix.size());
    const bool numbered =
        rest.size() > 1 && rest[0] == '.' && rest.find_first_not_of("0123456789", 1) == std::string_view::npos;
    if (rest.empty() || numbered) entries.insert(name.substr(0, dot));
  }
  return {entries.begin(), entries.end()};
}

}  // namespace hostler
