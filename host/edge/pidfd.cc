#include "edge/pidfd.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace hostler {

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool send_signal(const UniqueFd &pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

bool wait_for_death(const UniqueFd &pidfd, Duration at_most) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd poll{pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&poll, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

namespace {

Duration duration_of(const timeval &time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

// glibc's waitid() has no place for the usage, the kernel's has.
std::optional<WaitStatus> reap(const UniqueFd &pidfd) {
  siginfo_t info{};
  rusage usage{};
  if (::syscall(SYS_waitid, P_PIDFD, pidfd.get(), &info, WEXITED | WNOHANG, &usage) != 0 || info.si_pid == 0)
    return std::nullopt;
  WaitStatus status;
  status.signaled = info.si_code != CLD_EXITED;
  status.value = info.si_status;
  status.core = info.si_code == CLD_DUMPED;
  status.usage = {1, duration_of(usage.ru_utime) + duration_of(usage.ru_stime), usage.ru_maxrss * 1024};
  return status;
}

}  // namespace hostler
