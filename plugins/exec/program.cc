#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

namespace exec {
namespace {

constexpr int kHeartbeatMs = 1000;
constexpr int kStoppingMs = 100;  // once asked to stop, the stop descriptor says nothing of the next, firmer word
constexpr int kNotExecuted = 127;

struct Pipe {
  Fd read;
  Fd write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw hostler::Verdict(HOSTLER_RETRY_LATER, "no pipe for the program");
  return {Fd(ends[0]), Fd(ends[1])};
}

/// The strings as execve wants them. They must outlive the result.
std::vector<char *> pointers(const std::vector<std::string> &strings) {
  std::vector<char *> result;
  result.reserve(strings.size() + 1);
  for (const std::string &string : strings) result.push_back(const_cast<char *>(string.c_str()));
  result.push_back(nullptr);
  return result;
}

struct ChildPlan {
  char *const *words;
  char *const *environment;
  int input;
  int output;  // -1: the worker's
  int report;  // gets errno when there is no program
  pid_t parent;
};

/// Between fork and exec: nothing but async-signal-safe calls.
[[noreturn]] void become(const ChildPlan &plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(kNotExecuted);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(plan.input, STDIN_FILENO) >= 0 && (plan.output < 0 || ::dup2(plan.output, STDOUT_FILENO) >= 0)) {
    ::execvpe(plan.words[0], plan.words, plan.environment);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = ::write(plan.report, &error, sizeof error);
  ::_exit(kNotExecuted);
}

/// The program and all that it has started, in the background or in sessions of their own too: as a subreaper we
/// inherit whatever loses its parent. Nothing of a slice may write once its verdict is told.
void end_children() {
  const std::string list = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
  do {
    std::ifstream children(list);
    for (pid_t pid = 0; children >> pid;) ::kill(pid, SIGKILL);
  } while (::waitpid(-1, nullptr, 0) > 0 || errno != ECHILD);
}

[[noreturn]] void throw_no_exec(const std::string &program, int error) {
  const bool ours = error == E2BIG || error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
  const std::string hint = error == ENOENT ? " (is it in PATH, and is its #! interpreter there?)" : "";
  throw hostler::Verdict(ours ? HOSTLER_ERROR : HOSTLER_BAD_CONFIG,
                         "cannot run '" + program + "': " + std::strerror(error) + hint);
}

}  // namespace

void Fd::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Program::Program(const Start &start) : unfed_(start.input.value_or("")), stop_word_(start.stop_word) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // A program that closes its stdin early is no error, and must not end the worker.
  ::signal(SIGPIPE, SIG_IGN);
  if (start.input) {
    Pipe pipe = make_pipe();
    ::fcntl(pipe.write.get(), F_SETFL, O_NONBLOCK);
    input_ = std::move(pipe.write);
    spawn(start, pipe.read);
  } else {
    spawn(start, Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  }
}

void Program::spawn(const Start &start, const Fd &input) {
  const std::vector<char *> words = pointers(start.words);
  const std::vector<char *> environment = pointers(start.environment);
  Pipe report = make_pipe();
  const ChildPlan plan{words.data(),       environment.data(), input.get(), start.output.value_or(-1),
                       report.write.get(), ::getpid()};
  const pid_t child = ::fork();
  if (child == 0) become(plan);
  if (child < 0) throw hostler::Verdict(HOSTLER_RETRY_LATER, std::string("cannot fork: ") + std::strerror(errno));

  report.write.close();
  int error = 0;
  if (::read(report.read.get(), &error, sizeof error) > 0) {
    ::waitpid(child, nullptr, 0);
    throw_no_exec(start.words.front(), error);
  }
  pid_ = child;
  pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Program::~Program() {
  end_children();
}

Ending Program::wait(hostler::Slice &slice) {
  const int stop_fd = slice.stop_fd();
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    slice.heartbeat();
    const int asked = slice.should_stop();
    pass_on_stop(asked);
    if (unfed_.empty()) input_.close();
    // poll ignores negative descriptors.
    pollfd events[] = {
        {pidfd_.get(), POLLIN, 0}, {asked == HOSTLER_GO_ON ? stop_fd : -1, POLLIN, 0}, {input_.get(), POLLOUT, 0}};
    const bool eager = asked != HOSTLER_GO_ON && !stopped_;
    if (::poll(events, 3, eager ? kStoppingMs : kHeartbeatMs) > 0 && events[2].revents != 0) feed();
  }
  end_children();
  return {status, stopped_};
}

void Program::feed() {
  const ssize_t written = ::write(input_.get(), unfed_.data(), unfed_.size());
  if (written >= 0) {
    unfed_.remove_prefix(static_cast<size_t>(written));
  } else if (errno == EPIPE) {
    unfed_ = {};
  } else if (errno != EAGAIN && errno != EINTR) {
    throw hostler::Verdict(HOSTLER_ERROR, "feeding the program: " + std::string(std::strerror(errno)));
  }
}

void Program::pass_on_stop(int stop_word) {
  if (stop_word < stop_word_ || stopped_) return;
  stopped_ = true;
  ::kill(pid_, SIGTERM);
}

}  // namespace exec
