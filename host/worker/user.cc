#include "worker/user.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

tl::unexpected<Error> failed(const std::string &what) {
  return fail({}, fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

Result<void> become_user(const User &user) {
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) return failed("cannot take the groups of " + user.name);
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return failed("cannot take the group of " + user.name);
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return failed("cannot become " + user.name);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_DUMPABLE, 1);  // for crash reports and cores
  return {};
}

// Folders that are made in one with the set-group-id bit have its group, and the bit.
Result<void> give_attempts_to(const std::string &attempts_dir, const User &user) {
  constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  constexpr mode_t kForItsGroup = S_ISGID | S_IRGRP | S_IXGRP;
  const std::size_t slash = attempts_dir.rfind('/');
  const std::string output_dir = attempts_dir.substr(0, slash);
  const UniqueFd output(::open(output_dir.c_str(), kFolder));
  struct stat now {};
  if (!output || ::fstat(output.get(), &now) != 0) return failed(output_dir);
  const bool is_given = now.st_gid == user.gid && (now.st_mode & kForItsGroup) == kForItsGroup;
  if (!is_given && (::fchown(output.get(), static_cast<uid_t>(-1), user.gid) != 0 ||
                    ::fchmod(output.get(), (now.st_mode & 07777) | kForItsGroup) != 0))
    return failed(output_dir + " cannot be given to the group of " + user.name);
  const std::string name = attempts_dir.substr(slash + 1);
  if (::mkdirat(output.get(), name.c_str(), 0770) != 0 && errno != EEXIST) return failed(attempts_dir);
  const UniqueFd attempts(::openat(output.get(), name.c_str(), kFolder));
  if (!attempts || ::fchown(attempts.get(), user.uid, user.gid) != 0)
    return failed(attempts_dir + " cannot be given to " + user.name);
  return {};
}

}  // namespace hostler
