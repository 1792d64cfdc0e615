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

namespace hostler {
namespace {

// Between two looks for children that nobody watches.
constexpr Duration kBetweenHunts = std::chrono::seconds(1);
constexpr Duration kForOne = std::chrono::seconds(10);

// The children of this thread, living or not yet reaped.
std::vector<pid_t> own_children() {
  std::ifstream file(fmt::format("/proc/self/task/{}/children", ::gettid()));
  std::vector<pid_t> children;
  for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  return children;
}

}  // namespace

Strays::Strays(EventLoop &loop, AskKnown known, EndGroup end_group)
    : loop_(loop), known_(std::move(known)), end_group_(std::move(end_group)), timer_(loop) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // cannot fail
  for (const pid_t pid : own_children()) strangers_.insert(pid);
}

bool Strays::end() {
  const std::optional<Known> known = known_();
  if (known)
    sweep(*known);
  else
    end_soon();
  return known.has_value();
}

bool Strays::sweep(const Known &known) {
  const std::vector<pid_t> children = own_children();
  // The number of one that is gone may be somebody else's.
  std::erase_if(strangers_, [&](pid_t pid) { return std::ranges::find(children, pid) == children.end(); });
  bool found = false;
  std::set<pid_t> groups;
  for (const pid_t pid : children) {
    if (known.children.contains(pid) || strays_.contains(pid)) continue;
    const pid_t group = ::getpgid(pid);
    if (!end_one(pid, group, known)) continue;
    found = true;
    if (group != pid) groups.insert(group);
  }
  for (const pid_t group : groups) end_group_(group);
  if (!groups.empty()) end_soon();  // for who dies of that
  return found;
}

bool Strays::end_one(pid_t pid, pid_t group, const Known &known) {
  UniqueFd pidfd = open_pidfd(pid);
  // Without a descriptor nothing is known of it but its number, which is its own: it is our child and not reaped.
  const bool lives = !pidfd || !wait_for_death(pidfd, Duration{});
  if (lives && (strangers_.contains(pid) || known.groups.contains(group))) return false;
  if (lives) ::kill(pid, SIGKILL);
  if (::waitpid(pid, nullptr, WNOHANG) == pid) return true;
  if (!pidfd) {
    end_soon();
    return true;
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
  return true;
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
  while (true) {
    const std::optional<Known> known = known_();
    if (!(known && sweep(*known)) && strays_.empty()) return;
    for (const auto &[pid, stray] : std::exchange(strays_, {})) {  // the death of one brings its children
      (void)wait_for_death(stray.pidfd, kForOne);
      (void)reap(stray.pidfd);
    }
  }
}

bool Strays::remain_since(TimePoint time) const {
  return std::any_of(strays_.begin(), strays_.end(), [&](const auto &each) { return each.second.found >= time; });
}

}  // namespace hostler
