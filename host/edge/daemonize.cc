#include "edge/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "edge/disk_error.h"

namespace hostler {
namespace {

constexpr mode_t kUmask = 027;

tl::unexpected<Error> system_failure(const char *what) {
  return fail("", std::string(what) + ": " + error_words(errno));
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_failure("pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The report as it goes through the pipe: "CODE TEXT", to the end of the stream.
void send_reply(int fd, int code, const std::string &text) {
  const std::string message = fmt::format("{} {}", code, text);
  std::size_t sent = 0;
  while (sent < message.size()) {
    const ssize_t count = ::write(fd, message.data() + sent, message.size() - sent);
    if (count < 0 && errno != EINTR) return;  // nobody waits any more
    if (count > 0) sent += static_cast<std::size_t>(count);
  }
}

// Nothing when `interrupt` is readable first.
std::optional<StartReply> receive_reply(int fd, int interrupt) {
  std::string message;
  std::array<char, 4096> buffer{};
  for (;;) {
    std::array<pollfd, 2> events = {{{fd, POLLIN, 0}, {interrupt, POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents == 0) return std::nullopt;
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    message.append(buffer.data(), static_cast<std::size_t>(count));
  }
  StartReply reply;
  const auto [end, error] = std::from_chars(message.data(), message.data() + message.size(), reply.code);
  if (error != std::errc()) return StartReply{1, "the host ended before it was ready"};
  reply.text = message.substr(static_cast<std::size_t>(end - message.data()) + 1);
  return reply;
}

// A shell may have ignored some (nohup, a job in the background), and the host wants to hear of them.
void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool redirect_to_null(int last) {
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return false;
  for (int fd = 0; fd <= last; ++fd)
    if (::dup2(null, fd) < 0) return false;
  if (null > 2) ::close(null);
  return true;
}

// Before there is a body that could say it.
[[noreturn]] void end_with(int fd, const char *what) {
  send_reply(fd, 1, system_failure(what).value().what);
  ::_exit(1);
}

// Whatever the launching shell left open must not be held for as long as the host lives.
void close_all_but(int kept) {
  ::close_range(3, static_cast<unsigned>(kept) - 1, 0);
  ::close_range(static_cast<unsigned>(kept) + 1, ~0U, 0);
}

[[noreturn]] void run_body(const ProcessBody &body, UniqueFd report_to) {
  ::signal(SIGPIPE, SIG_IGN);  // of the launching process, should it be gone
  const auto shared = std::make_shared<UniqueFd>(std::move(report_to));
  const int code = body([shared](int result, const std::string &text) {
    if (*shared) send_reply(shared->get(), result, text);
    shared->reset();
  });
  std::exit(code);
}

// Moves the pipe's end above stdio, which may have been closed by the shell.
UniqueFd above_stdio(UniqueFd fd) {
  return fd.get() > 2 ? std::move(fd) : UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
}

[[noreturn]] void become_daemon(const ProcessBody &body, Pipe pipe) {
  if (::setsid() < 0) end_with(pipe.write.get(), "setsid");
  const pid_t daemon = ::fork();
  if (daemon < 0) end_with(pipe.write.get(), "fork");
  if (daemon != 0) ::_exit(0);
  UniqueFd report_to = above_stdio(std::move(pipe.write));
  if (::chdir("/") != 0) end_with(report_to.get(), "chdir /");
  ::umask(kUmask);
  if (!redirect_to_null(2)) end_with(report_to.get(), "/dev/null");
  close_all_but(report_to.get());
  [[maybe_unused]] const int closed = pipe.read.release();
  reset_signals();
  run_body(body, std::move(report_to));
}

[[noreturn]] void become_child(const ProcessBody &body, Pipe pipe, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // nobody is left who would wait for a slice to end
  if (::getppid() != parent) ::_exit(1);
  UniqueFd report_to = above_stdio(std::move(pipe.write));
  pipe.read.reset();
  if (!redirect_to_null(1)) end_with(report_to.get(), "/dev/null");
  reset_signals();
  run_body(body, std::move(report_to));
}

}  // namespace

Result<StartReply> start_daemon(const ProcessBody &body) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected<Error>(pipe.error());
  std::fflush(nullptr);  // or the child would write it a second time
  const pid_t child = ::fork();
  if (child < 0) return system_failure("fork");
  if (child == 0) become_daemon(body, std::move(*pipe));
  pipe->write.reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
  return *receive_reply(pipe->read.get(), -1);
}

Result<StartedChild> start_child(const ProcessBody &body, int interrupt) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected<Error>(pipe.error());
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return system_failure("fork");
  if (child == 0) become_child(body, std::move(*pipe), parent);
  ::setpgid(child, child);  // here too: whichever comes first
  pipe->write.reset();
  StartedChild started;
  started.pid = child;
  started.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  started.reply = receive_reply(pipe->read.get(), interrupt);
  return started;
}

}  // namespace hostler
