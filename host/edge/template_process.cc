#include "edge/template_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "core/units.h"
#include "edge/elf_file.h"
#include "edge/fleet_lock.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

// Forks under way at once: enough to keep the template busy, few enough that no socket or descriptor limit is met.
constexpr std::size_t kMostAsked = 64;

// Between fork and exec of a host with threads: system calls only. The descriptors first go out of the way of the
// numbers that others of them get.
[[noreturn]] void become_template(const TemplateProcess::Resources &resources, int control, char *const *argv,
                                  char *const *environment) {
  constexpr int kAside = 16;
  const int binary = ::fcntl(resources.binary, F_DUPFD_CLOEXEC, kAside);
  const std::array<std::pair<int, int>, 3> kept{{{::fcntl(control, F_DUPFD, kAside), kTemplateControlFd},
                                                 {::fcntl(resources.fleet_lock, F_DUPFD, kAside), kTemplateLockFd},
                                                 {::fcntl(resources.pages, F_DUPFD, kAside), kTemplatePagesFd}}};
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || ::dup2(null, STDIN_FILENO) < 0 || ::dup2(null, STDOUT_FILENO) < 0) ::_exit(126);
  for (const auto &[from, to] : kept)
    if (from < 0 || ::dup2(from, to) < 0) ::_exit(126);
  ::setrlimit(RLIMIT_NOFILE, &resources.open_files);
  // What is above closes itself with the exec: kAside and what the template does not know.
  ::close_range(kTemplatePagesFd + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execveat(binary, "", argv, environment, AT_EMPTY_PATH);
  ::_exit(127);
}

}  // namespace

TemplateProcess::TemplateProcess(EventLoop &loop, const Resources &resources, Prepare prepare, Forked forked,
                                 std::function<void()> died)
    : loop_(loop),
      resources_(resources),
      build_(read_build_id(resources.binary)),
      prepare_(std::move(prepare)),
      forked_(std::move(forked)),
      died_(std::move(died)),
      soon_(loop),
      impatience_(loop) {}

TemplateProcess::~TemplateProcess() {
  end();
}

void TemplateProcess::end() {
  control_watch_ = {};
  death_watch_ = {};
  impatience_.cancel();
  if (pid_ == 0) return;
  send_signal(pidfd_, SIGKILL);
  (void)wait_for_death(pidfd_, std::chrono::seconds(10));
  (void)reap(pidfd_);
  pid_ = 0;
}

Result<void> TemplateProcess::start() {
  if (!build_) build_ = read_build_id(resources_.binary);
  if (!build_) return fail("no template", build_.error().what);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail({}, fmt::format("no socket for the template: {}", std::strerror(errno)));
  control_.reset(ends[0]);
  const UniqueFd other_end(ends[1]);
  std::string title(kTemplateTitle);
  std::string room(sizeof(ForkRequest::title), ' ');  // for the titles of workers
  const std::array<char *, 3> argv{title.data(), room.data(), nullptr};

  // Bound at its start: what a library binds later, every worker would bind for itself.
  std::string bind_now(kBindNow);
  std::string mark = fleet_mark(resources_.fleet_lock);
  std::vector<char *> environment{mark.data()};
  if (::getenv("LD_BIND_NOW") == nullptr) environment.push_back(bind_now.data());
  for (char **variable = environ; *variable != nullptr; ++variable)  // we may be a worker's child ourselves
    if (!std::string_view(*variable).starts_with(kFleetMark)) environment.push_back(*variable);
  environment.push_back(nullptr);

  // No handler of ours may run in the child; it keeps all blocked, as a template does.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) become_template(resources_, other_end.get(), argv.data(), environment.data());
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail({}, fmt::format("no process for the template: {}", std::strerror(error)));

  pidfd_ = open_pidfd(pid);
  if (!pidfd_) {
    const int no_pidfd = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail({}, fmt::format("no descriptor for the template: {}", std::strerror(no_pidfd)));
  }
  pid_ = pid;
  greeted_ = proven_ = hangs_ = false;
  unfit_.clear();
  control_watch_ = loop_.watch(control_.get(), EventLoop::Ready::Read, [this] { on_answers(); });
  death_watch_ = loop_.watch(pidfd_.get(), EventLoop::Ready::Read, [this] { on_death(); });
  return {};
}

void TemplateProcess::start_ahead() {
  if (pid_ == 0) (void)start();
}

void TemplateProcess::spawn(std::uint64_t worker) {
  const bool is_waited_for = pid_ != 0 && is_answer_due();
  queue_.push_back(worker);
  if (pid_ == 0)
    if (auto started = start(); !started) return fail_all(started.error().text());
  pump();
  if (!is_waited_for) wait_for_answers();
}

bool TemplateProcess::is_answer_due() const {
  return !asked_.empty() || next_ || !queue_.empty();
}

// From now on, or no longer.
void TemplateProcess::wait_for_answers() {
  is_answer_due() ? impatience_.set(EventLoop::now() + resources_.patience, [this] { be_impatient(); })
                  : impatience_.cancel();
}

void TemplateProcess::be_impatient() {
  hangs_ = true;
  on_answers();  // it may be us who slept
  if (hangs_) send_signal(pidfd_, SIGKILL);
}

void TemplateProcess::pump() {
  while (greeted_ && asked_.size() < kMostAsked && prepare_next()) {
    const std::uint64_t worker = next_->request.worker;
    switch (send(*next_)) {
      case Sent::Later: return;  // an answer, or the template's death, comes first
      case Sent::Refused: {
        const std::string why = std::strerror(errno);
        next_.reset();
        refuse(worker, {{}, why, {}});
        return fail_all(why);
      }
      case Sent::Yes: break;
    }
    asked_.insert(worker);
    next_.reset();
  }
}

// True: next_ is there.
bool TemplateProcess::prepare_next() {
  while (!next_ && !queue_.empty()) {
    const std::uint64_t worker = queue_.front();
    queue_.pop_front();
    auto order = prepare_(worker);
    if (!order) {
      refuse(worker, order.error());
      continue;
    }
    next_.emplace(Request{{worker, order->page, {}}, std::move(order->channel), std::move(order->log)});
    auto &title = next_->request.title;
    std::copy_n(order->title.begin(), std::min(order->title.size(), title.size() - 1), title.begin());
  }
  return next_.has_value();
}

TemplateProcess::Sent TemplateProcess::send(const Request &request) const {
  const std::array<int, 2> fds{request.channel.get(), request.log.get()};
  iovec text{const_cast<ForkRequest *>(&request.request), sizeof(ForkRequest)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr *rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(rights), fds.data(), sizeof fds);
  if (::sendmsg(control_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Sent::Yes;
  if (errno == EPIPE || errno == ECONNRESET || !asked_.empty()) return Sent::Later;
  return Sent::Refused;
}

// False: not yet, or it is not to be used and has been ended.
bool TemplateProcess::take_greeting() {
  if (greeted_) return true;
  TemplateHello hello;
  const ssize_t size = ::recv(control_.get(), &hello, sizeof hello, MSG_DONTWAIT);
  if (size < 0) return false;
  hello.build.back() = '\0';
  if (size == static_cast<ssize_t>(sizeof hello) && *build_ == hello.build.data()) return greeted_ = true;
  if (size > 0)
    unfit_ = fmt::format("the template is of another build ({}) than the host ({})", hello.build.data(), *build_);
  control_watch_ = {};
  send_signal(pidfd_, SIGKILL);
  return false;
}

void TemplateProcess::on_answers() {
  if (!take_greeting()) return;
  std::array<ForkAnswer, kMostForkAnswers> answers;
  while (true) {
    const ssize_t size = ::recv(control_.get(), answers.data(), sizeof answers, MSG_DONTWAIT);
    if (size < 0) break;
    if (size == 0) {  // its death is on the way, and if it is not: it is of no use without its socket
      control_watch_ = {};
      send_signal(pidfd_, SIGKILL);
      return;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(size) / sizeof(ForkAnswer); ++i) {
      const ForkAnswer &answer = answers[i];
      proven_ = true;
      hangs_ = false;
      if (asked_.erase(answer.worker) == 0) continue;
      if (answer.error == 0) {
        forked_(answer.worker, answer.pid);
      } else {
        forked_(answer.worker, fail({}, fmt::format("cannot fork: {}", std::strerror(answer.error))));
      }
    }
  }
  pump();
  if (!hangs_) wait_for_answers();
}

void TemplateProcess::on_death() {
  on_answers();  // what it said before
  control_watch_ = {};
  death_watch_ = {};
  impatience_.cancel();
  const WaitStatus status = reap(pidfd_).value_or(WaitStatus{});
  const std::string how =
      hangs_ ? fmt::format("did not answer for {}", format_duration(resources_.patience)) : words(status);
  pidfd_.reset();
  control_.reset();
  pid_ = 0;
  const bool proven = proven_;
  const bool hangs = hangs_;
  died_();
  const std::string why = fmt::format("the template {}{}", how, hangs ? "" : " before it answered");
  for (const std::uint64_t worker : std::exchange(asked_, {})) forked_(worker, fail({}, why));
  if (!is_answer_due() || pid_ != 0) return;  // a new one may have been started meanwhile, by spawn()
  if (!unfit_.empty()) return fail_all(unfit_);
  // One that never forked anything would not do so the next time either.
  if (!proven) return fail_all(fmt::format("the template {} at its start", how));
  if (auto started = start(); !started) return fail_all(started.error().text());
  pump();
  wait_for_answers();
}

void TemplateProcess::refuse(std::uint64_t worker, Error why) {
  refused_.emplace_back(worker, std::move(why));
  soon_.set(EventLoop::now(), [this] { tell_refused(); });
}

// All that wait.
void TemplateProcess::fail_all(const std::string &why) {
  if (next_) refuse(next_->request.worker, {{}, why, {}});
  next_.reset();
  for (const std::uint64_t worker : std::exchange(queue_, {})) refuse(worker, {{}, why, {}});
  wait_for_answers();
}

void TemplateProcess::tell_refused() {
  for (const auto &[worker, why] : std::exchange(refused_, {})) forked_(worker, tl::unexpected(why));
}

}  // namespace hostler
