#include "edge/strays.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <fstream>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "edge/pidfd.h"
#include "edge/proc.h"
#include "edge/process_group.h"

namespace hostler {
namespace {

// Between two looks for children that nobody watches.
constexpr Duration kBetweenHunts = std::chrono::seconds(1);
constexpr Duration kForOne = std::chrono::seconds(10);
constexpr Duration kForAll = std::chrono::seconds(30);

// The children of this thread, living or not yet reaped.
std::vector<pid_t> own_children() {
  std::ifstream file(fmt::format("/proc/self/task/{}/children", ::gettid()));
  std::vector<pid_t> children;
  for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  return children;
}

}  // namespace

Strays::Strays(EventLoop &loop, AskKnown known) : loop_(loop), known_(std::move(known)), timer_(loop) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // cannot fail
  for (const pid_t pid : own_children()) strangers_.insert(pid);
}

bool Strays::end() {
  const std::optional<Known> known = known_();
  if (!known) {
    end_soon();
    return false;
  }
  const std::vector<pid_t> children = own_children();
  // The number of one that is gone may be somebody else's.
  std::erase_if(strangers_, [&](pid_t pid) { return std::ranges::find(children, pid) == children.end(); });
  std::set<pid_t> groups;
  for (const pid_t pid : children) {
    if (known->children.contains(pid) || strays_.contains(pid)) continue;
    const std::optional<pid_t> group = end(pid, *known);
    if (group && *group != pid && !known->groups.contains(*group)) groups.insert(*group);
  }
  for (const pid_t group : groups)
    if (groups_.contains(group)) end_line(group);
  groups_ = std::move(groups);
  if (!groups_.empty()) end_soon();
  return true;
}

// Ours if each who lives in it has lost its parent to us, or has one in the group that has.
void Strays::end_line(pid_t group) const {
  end_group(group, 1, [this](const std::vector<pid_t> &members) {
    return std::ranges::all_of(members, [&](pid_t pid) {
      const auto stat = read_process_stat(pid);
      if (!stat || strangers_.contains(pid)) return false;
      return stat->parent == ::getpid() || std::ranges::find(members, stat->parent) != members.end();
    });
  });
}

std::optional<pid_t> Strays::end(pid_t pid, const Known &known) {
  UniqueFd pidfd = open_pidfd(pid);
  // Without a descriptor nothing is known of it but its number, which is its own: it is our child and not reaped.
  const bool lives = !pidfd || !wait_for_death(pidfd, Duration{});
  const pid_t group = ::getpgid(pid);
  if (lives && (strangers_.contains(pid) || known.groups.contains(group))) return std::nullopt;
  ::kill(pid, SIGKILL);
  if (!pidfd) {
    ::waitpid(pid, nullptr, WNOHANG);
    end_soon();
    return group;
  }
  Stray &stray = strays_[pid];
  stray.pidfd = std::move(pidfd);
  stray.found = EventLoop::now();
  stray.watch = loop_.watch(stray.pidfd.get(), EventLoop::Ready::Read, [this, pid] {
    const auto found = strays_.find(pid);
    (void)reap(found->second.pidfd);
    found->second.watch = {};
    strays_.erase(found);
  });
  return group;
}

void Strays::take_dead(pid_t pid) const {
  if (!strays_.contains(pid)) (void)::waitpid(pid, nullptr, WNOHANG);
}

void Strays::end_soon() {
  if (std::exchange(timer_is_set_, true)) return;
  timer_.set(EventLoop::now() + kBetweenHunts, [this] {
    timer_is_set_ = false;
    end();
  });
}

void Strays::end_all() {
  const TimePoint deadline = EventLoop::now() + kForAll;
  for (end(); !strays_.empty() && EventLoop::now() < deadline; end()) {  // the death of one brings its children
    for (const auto &[pid, stray] : std::exchange(strays_, {})) {
      (void)wait_for_death(stray.pidfd, kForOne);
      (void)reap(stray.pidfd);
    }
  }
}

bool Strays::remain_since(TimePoint time) const {
  return std::any_of(strays_.begin(), strays_.end(), [&](const auto &each) { return each.second.found >= time; });
}

}  // namespace hostler
