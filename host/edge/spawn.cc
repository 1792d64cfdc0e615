#include "edge/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>

#include "edge/disk_error.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

// posix_spawn's two objects, destroyed with their block.
struct Settings {
  Settings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  Settings(const Settings &) = delete;
  Settings &operator=(const Settings &) = delete;
  ~Settings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

void set_signals_and_group(posix_spawnattr_t &attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

}  // namespace

Result<Spawned> spawn_program(const std::string &path, std::vector<std::string> arguments,
                              const std::vector<int> &fds) {
  Settings settings;
  set_signals_and_group(settings.attributes);
  const int count = static_cast<int>(fds.size());
  std::vector<UniqueFd> above;  // the numbers they get in the child: a dup2 onto itself would stay close-on-exec
  for (int number = 0; number < count; ++number) {
    const int fd = fds[static_cast<std::size_t>(number)];
    if (fd < 0) {
      ::posix_spawn_file_actions_addopen(&settings.actions, number, "/dev/null", O_RDWR, 0);
      continue;
    }
    above.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, count));
    if (!above.back()) return errno_error(errno, {}, "");
    ::posix_spawn_file_actions_adddup2(&settings.actions, above.back().get(), number);
  }
  ::posix_spawn_file_actions_addclosefrom_np(&settings.actions, count);
  std::vector<char *> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string &argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  Spawned child;
  const int error =
      ::posix_spawn(&child.pid, path.c_str(), &settings.actions, &settings.attributes, argv.data(), environ);
  if (error != 0) return errno_error(error, path, "");
  child.pidfd = open_pidfd(child.pid);
  if (child.pidfd) return child;
  const int no_pidfd = errno;
  ::kill(child.pid, SIGKILL);
  ::waitpid(child.pid, nullptr, 0);
  return errno_error(no_pidfd, {}, "");
}

}  // namespace hostler
