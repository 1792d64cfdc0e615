#include "edge/this_machine.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>

#include <fmt/format.h>

#include "core/config_place.h"
#include "edge/cgroup.h"

namespace hostler {
namespace {

std::int64_t as_number(rlim_t limit) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return limit == RLIM_INFINITY || limit > static_cast<rlim_t>(kMost) ? kMost : static_cast<std::int64_t>(limit);
}

// Who may raise limits may do so for files as far as the kernel has them.
std::int64_t most_open_files(bool may_raise) {
  if (may_raise) {
    std::ifstream file("/proc/sys/fs/nr_open");
    if (std::int64_t number = 0; file >> number) return number;
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return as_number(limit.rlim_max);
}

std::int64_t most_core(bool may_raise) {
  rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  if (!may_raise) ::getrlimit(RLIMIT_CORE, &limit);
  return as_number(limit.rlim_max);
}

// Being root in name is not enough in a container that has taken the capabilities away.
bool may_become_anybody() {
  constexpr std::uint64_t kNeeded = 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_CHOWN | 1U << CAP_KILL;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kKey = "CapEff:\t";
    if (!line.starts_with(kKey)) continue;
    std::uint64_t effective = 0;
    std::from_chars(line.data() + kKey.size(), line.data() + line.size(), effective, 16);
    return (effective & kNeeded) == kNeeded;
  }
  return ::geteuid() == 0;
}

bool may_raise_limits() {
  return ::geteuid() == 0 && ::prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 1;
}

std::vector<gid_t> groups_of(const char *name, gid_t gid) {
  int count = 32;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(name, gid, groups.data(), &count) < 0) groups.resize(static_cast<std::size_t>(count));
  groups.resize(static_cast<std::size_t>(count));
  std::ranges::sort(groups);
  return groups;
}

}  // namespace

const Powers &ThisMachine::powers() {
  if (powers_) return *powers_;
  Powers powers;
  powers.uid = ::geteuid();
  powers.root = may_become_anybody();
  powers.most_open_files = most_open_files(may_raise_limits());
  powers.most_core = most_core(may_raise_limits());
  const CgroupPlace place = find_cgroup_place();
  powers.groups = place.usable();
  powers.group_memory = place.has("memory");
  powers.group_cpu = place.has("cpu");
  powers.group_processes = place.has("pids");
  powers.no_groups = place.lacks;
  return powers_.emplace(std::move(powers));
}

Result<User> ThisMachine::find_user(const std::string &name) {
  uid_t uid = 0;
  const char *const end = name.data() + name.size();
  const auto [stop, trouble] = std::from_chars(name.data(), end, uid);
  const bool by_number = stop == end && !name.empty();
  const bool too_large = by_number && trouble != std::errc();
  std::vector<char> buffer(std::size_t{1} << 16);
  passwd record{};
  passwd *found = nullptr;
  const int error = too_large   ? 0
                    : by_number ? ::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found)
                                : ::getpwnam_r(name.c_str(), &record, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    const std::string why =
        error == 0 || error == ENOENT || error == ESRCH ? "" : fmt::format(": {}", std::strerror(error));
    return fail({}, fmt::format("there is no user {} on this machine{}", in_quotes(name), why),
                "name one that is there");
  }
  return User{record.pw_name, record.pw_uid, record.pw_gid, groups_of(record.pw_name, record.pw_gid), record.pw_dir};
}

}  // namespace hostler
