#include "edge/process_group.h"

#include <unistd.h>
#include <csignal>

#include <chrono>
#include <optional>
#include <thread>

#include "edge/proc.h"

namespace hostler {
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(10);

// Or gone. One whose main thread has left looks like a zombie, but has others.
bool is_dead(const std::optional<ProcessStat> &stat) {
  return !stat || stat->state == 'X' || (stat->state == 'Z' && stat->threads <= 1);
}

// Or waits in the kernel, and stops when that is over.
bool is_stopped(const ProcessStat &stat) {
  return stat.state == 'T' || stat.state == 't' || stat.state == 'D';
}

// Who lives in it; nothing when one has not stopped.
std::optional<std::vector<pid_t>> stopped_members(pid_t group) {
  std::vector<pid_t> members;
  for (const pid_t pid : numbers_in("/proc")) {
    if (::getpgid(pid) != group) continue;
    const auto stat = read_process_stat(pid);
    if (is_dead(stat)) continue;
    if (!is_stopped(*stat)) return std::nullopt;
    members.push_back(pid);
  }
  return members;
}

}  // namespace

void end_group(pid_t group, int looks, const std::function<bool(const std::vector<pid_t> &)> &are_ours) {
  if (group <= 1 || group == ::getpgrp() || !is_dead(read_process_stat(group)) || ::kill(-group, SIGSTOP) != 0) return;
  auto members = stopped_members(group);
  for (int look = 1; look < looks && !members; ++look) {
    std::this_thread::sleep_for(kBetweenLooks);
    members = stopped_members(group);
  }
  ::kill(-group, members && !members->empty() && are_ours(*members) ? SIGKILL : SIGCONT);
}

}  // namespace hostler
