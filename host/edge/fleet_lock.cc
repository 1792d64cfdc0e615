#include "edge/fleet_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "core/template_messages.h"
#include "core/units.h"
#include "edge/pidfd.h"
#include "edge/proc.h"
#include "edge/process_group.h"
#include "edge/text_file.h"

namespace hostler {
namespace {

// Between two looks at who holds the lock, when none of them can be waited for.
constexpr auto kBetweenLockTries = std::chrono::milliseconds(10);
constexpr auto kForOneDeath = std::chrono::milliseconds(200);
// Looks at who is left at the end: what forks while it is looked for is found by the next one. Also at a group that was
// told to stop.
constexpr int kLastLooks = 10;

// Open as we open it, so inherited from us. Whoever only reads the file, for a copy of it, is none of ours.
bool is_read_write(const std::string &info) {
  constexpr std::string_view kKey = "flags:\t";
  const std::size_t at = info.find(kKey);
  unsigned flags = 0;
  if (at != std::string::npos) std::from_chars(info.data() + at + kKey.size(), info.data() + info.size(), flags, 8);
  return (flags & O_ACCMODE) == O_RDWR;
}

// /proc/locks names whoever took the lock, who may be dead; a descriptor's own "lock:" line is there for every holder. One
// of them may have let go of the lock for all of them: then it is known by how the file is open.
bool is_inherited(pid_t pid, int fd) {
  const std::string info = read_text(fmt::format("/proc/{}/fdinfo/{}", pid, fd));
  return info.find("lock:") != std::string::npos || is_read_write(info);
}

bool holds(pid_t pid, const struct stat &lock) {
  for (const int fd : numbers_in(fmt::format("/proc/{}/fd", pid))) {
    struct stat file {};
    if (::stat(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), &file) != 0) continue;
    if (file.st_dev == lock.st_dev && file.st_ino == lock.st_ino && is_inherited(pid, fd)) return true;
  }
  return false;
}

struct Holder {
  pid_t pid;
  pid_t group;  // when it was seen: it may be gone by now
};

// Whether a process is one of this fleet: it holds the lock, or has the mark.
using IsOurs = std::function<bool(pid_t)>;

// The youngest first: what forks and leaves for ever is seen only when it is looked at soon.
std::vector<pid_t> processes() {
  std::vector<pid_t> all = numbers_in("/proc");
  std::sort(all.rbegin(), all.rend());
  return all;
}

std::vector<Holder> holders_of(int lock_fd) {
  std::vector<Holder> holders;
  struct stat lock {};
  if (::fstat(lock_fd, &lock) != 0) return holders;
  for (const pid_t pid : processes()) {
    const pid_t group = ::getpgid(pid);
    if (pid != ::getpid() && holds(pid, lock)) holders.push_back({pid, group});
  }
  return holders;
}

// "4711 (hostler: tick 0/4)"
std::string name_of(pid_t pid) {
  std::string title = read_text(fmt::format("/proc/{}/cmdline", pid));
  std::replace(title.begin(), title.end(), '\0', ' ');
  title.erase(title.find_last_not_of(' ') + 1);
  return title.empty() ? fmt::format("{}", pid) : fmt::format("{} ({})", pid, title);
}

std::string names_of(const std::vector<Holder> &holders) {
  std::string names;
  for (const Holder &holder : holders) names += (names.empty() ? "" : ", ") + name_of(holder.pid);
  return names.empty() ? "a process that cannot be seen from here" : names;
}

bool is_marked(pid_t pid, const std::string &mark) {
  const std::string variables = '\0' + read_text(fmt::format("/proc/{}/environ", pid));
  return variables.find('\0' + mark + '\0') != std::string::npos;
}

IsOurs holds_or_is_marked(int lock_fd) {
  struct stat lock {};
  if (::fstat(lock_fd, &lock) != 0) return [](pid_t) { return false; };
  return [lock, mark = fleet_mark(lock_fd)](pid_t pid) {
    return pid != ::getpid() && (holds(pid, lock) || is_marked(pid, mark));
  };
}

// The number is looked at once more when it can no longer become somebody else's.
void end_one(pid_t pid, const IsOurs &is_ours) {
  const UniqueFd pidfd = open_pidfd(pid);
  if (!pidfd || !is_ours(pid)) return;
  if (send_signal(pidfd, SIGKILL)) (void)wait_for_death(pidfd, kForOneDeath);
}

void end_group_of(const Holder &holder, const IsOurs &is_ours) {
  end_group(holder.group, kLastLooks,
            [&](const std::vector<pid_t> &members) { return std::ranges::all_of(members, is_ours); });
}

void end_holders_of(int lock_fd, const std::vector<Holder> &holders) {
  const IsOurs is_ours = holds_or_is_marked(lock_fd);
  for (const Holder &holder : holders) {
    end_one(holder.pid, is_ours);
    end_group_of(holder, is_ours);
  }
}

bool try_lock(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    if (errno != EINTR) return false;
  return true;
}

}  // namespace

Result<FleetLock> FleetLock::take(const std::string &state_dir, Duration limit,
                                  const std::function<void(const std::string &)> &waiting) {
  const std::string path = state_dir + "/fleet.lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(path, std::strerror(errno));
  const TimePoint deadline = std::chrono::steady_clock::now() + limit;
  std::string told;
  while (!try_lock(fd.get())) {
    if (errno != EWOULDBLOCK) return fail(path, std::strerror(errno));
    const std::vector<Holder> holders = holders_of(fd.get());
    const std::string names = names_of(holders);
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(path, fmt::format("still held after {} by {}", format_duration(limit), names),
                  "it is left over from a host that died, and does not die of SIGKILL: wait, or reboot");
    if (!holders.empty() && names != told) waiting("waiting for processes left over from an earlier host: " + names);
    if (!holders.empty()) told = names;
    end_holders_of(fd.get(), holders);
    if (holders.empty()) std::this_thread::sleep_for(kBetweenLockTries);
  }
  // It stays exclusive: all who come after share this one open file, and nobody else may have it in between.
  return FleetLock(std::move(fd));
}

std::vector<pid_t> FleetLock::holders() const {
  std::vector<pid_t> pids;
  for (const Holder &holder : holders_of(fd_.get())) pids.push_back(holder.pid);
  return pids;
}

// A lock is shared by all who have inherited its open file. So whoever takes it through another one is alone: which is
// most often so, and saves the look through /proc.
void FleetLock::end_holders() {
  UniqueFd own(::open(fmt::format("/proc/self/fd/{}", fd_.get()).c_str(), O_RDWR | O_CLOEXEC));
  if (own) fd_ = std::move(own);
  for (int look = 0; look < kLastLooks && !try_lock(fd_.get()); ++look)
    end_holders_of(fd_.get(), holders_of(fd_.get()));
}

void FleetLock::end_left_behind() const {
  const IsOurs is_ours = holds_or_is_marked(fd_.get());
  int in_vain = 0;  // in a row: what forks and leaves may have been missed once
  for (int look = 0; look < kLastLooks && in_vain < 2; ++look) {
    ++in_vain;
    for (const pid_t pid : processes()) {
      const pid_t group = ::getpgid(pid);
      if (!is_ours(pid)) continue;
      in_vain = 0;
      end_one(pid, is_ours);
      end_group_of({pid, group}, is_ours);
    }
  }
}

std::string fleet_mark(int lock_fd) {
  struct stat lock {};
  if (::fstat(lock_fd, &lock) != 0) return {};
  return fmt::format("{}{}:{}", kFleetMark, lock.st_dev, lock.st_ino);
}

}  // namespace hostler
