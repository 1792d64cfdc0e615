#include "edge/init_process.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "edge/disk_error.h"

namespace hostler {
namespace {

constexpr int kKilledBy = 128;

[[noreturn]] void leave_like(int status) {
  ::_exit(WIFSIGNALED(status) ? kKilledBy + WTERMSIG(status) : WEXITSTATUS(status));
}

void reap_all(pid_t child) {
  int status = 0;
  for (pid_t gone = 0; (gone = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (gone == child) leave_like(status);
}

// All signals are blocked, so that the kernel does not drop those that an init has no handler for.
[[noreturn]] void be_init(pid_t child, const sigset_t &all) {
  ::prctl(PR_SET_NAME, "hostler: init");
  while (true) {
    siginfo_t signal{};
    if (::sigwaitinfo(&all, &signal) < 0) continue;
    if (signal.si_signo == SIGCHLD) {
      reap_all(child);
    } else if (signal.si_code != SI_KERNEL) {  // the terminal's reach the child by themselves
      ::kill(child, signal.si_signo);
    }
  }
}

}  // namespace

bool is_init() {
  return ::getpid() == 1;
}

Result<void> leave_init_behind() {
  if (!is_init()) return {};
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  std::fflush(nullptr);  // or the child would write it a second time
  const pid_t child = ::fork();
  if (child > 0) be_init(child, all);
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child == 0) return {};
  return fail({}, "fork: " + error_words(error));
}

}  // namespace hostler
