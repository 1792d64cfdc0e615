#include "edge/process_group.h"

#include <dirent.h>
#include <unistd.h>
#include <csignal>

#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "edge/text_file.h"

namespace hostler {
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(10);

struct Stat {
  char state = 'X';  // also when it is gone
  pid_t parent = 0;
  long threads = 0;
};

// proc_pid_stat(5). The name may have blanks and brackets in it.
Stat stat_of(pid_t pid) {
  const std::string text = read_text(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return {};
  std::istringstream fields(text.substr(name_end + 2));
  Stat stat;
  fields >> stat.state >> stat.parent;
  constexpr int kFirstBetween = 5;
  constexpr int kThreads = 20;
  std::string other;
  for (int field = kFirstBetween; field < kThreads; ++field) fields >> other;
  fields >> stat.threads;
  return stat;
}

// One whose main thread has left looks like a zombie, but has others.
bool is_dead(const Stat &stat) {
  return stat.state == 'X' || (stat.state == 'Z' && stat.threads <= 1);
}

// Or waits in the kernel, and stops when that is over.
bool is_stopped(const Stat &stat) {
  return stat.state == 'T' || stat.state == 't' || stat.state == 'D';
}

// Who lives in it; nothing when one has not stopped.
std::optional<std::vector<pid_t>> stopped_members(pid_t group) {
  std::vector<pid_t> members;
  for (const pid_t pid : numbers_in("/proc")) {
    if (::getpgid(pid) != group) continue;
    const Stat stat = stat_of(pid);
    if (is_dead(stat)) continue;
    if (!is_stopped(stat)) return std::nullopt;
    members.push_back(pid);
  }
  return members;
}

}  // namespace

std::vector<int> numbers_in(const std::string &folder) {
  std::vector<int> numbers;
  const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) return numbers;
  while (const dirent *entry = ::readdir(dir.get())) {
    int number = 0;
    const char *end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, number).ptr == end) numbers.push_back(number);
  }
  return numbers;
}

pid_t parent_of(pid_t pid) {
  return stat_of(pid).parent;
}

void end_group(pid_t group, int looks, const std::function<bool(const std::vector<pid_t> &)> &are_ours) {
  if (group <= 1 || group == ::getpgrp() || !is_dead(stat_of(group)) || ::kill(-group, SIGSTOP) != 0) return;
  auto members = stopped_members(group);
  for (int look = 1; look < looks && !members; ++look) {
    std::this_thread::sleep_for(kBetweenLooks);
    members = stopped_members(group);
  }
  ::kill(-group, members && !members->empty() && are_ours(*members) ? SIGKILL : SIGCONT);
}

}  // namespace hostler
