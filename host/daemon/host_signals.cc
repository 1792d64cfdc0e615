#include "daemon/host_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace hostler {

Result<HostSignals> HostSignals::block() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGCHLD}) sigaddset(&set, number);
  const int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return fail("signalfd", std::strerror(errno));
  sigaddset(&set, SIGPIPE);  // a reader that is gone is an error of the write
  sigaddset(&set, SIGXFSZ);  // likewise a file that may not grow
  sigaddset(&set, SIGUSR2);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    close(fd);
    return fail("pthread_sigmask", std::strerror(error));
  }
  return HostSignals(UniqueFd(fd));
}

void HostSignals::deliver_to(EventLoop &loop, std::function<void(int number, pid_t pid)> handler) {
  watch_ = loop.watch(fd_.get(), EventLoop::Ready::Read, [fd = fd_.get(), handler = std::move(handler)] {
    signalfd_siginfo info{};
    while (read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      handler(static_cast<int>(info.ssi_signo), static_cast<pid_t>(info.ssi_pid));
  });
}

}  // namespace hostler
