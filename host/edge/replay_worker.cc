#include "edge/replay_worker.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "edge/crash_slot.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

tl::unexpected<Error> failed(const char *what) {
  return fail(what, std::strerror(errno));
}

bool become(const User &user) {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setresgid(user.gid, user.gid, user.gid) == 0 &&
         ::setresuid(user.uid, user.uid, user.uid) == 0;
}

// In the child of a fork, of a process without other threads.
[[noreturn]] void execute(const std::vector<std::string> &argv, const std::optional<User> &user) {
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGQUIT, SIG_DFL);
  ::signal(SIGPIPE, SIG_DFL);
  if (user && !become(*user)) {
    std::perror(("hostler: cannot become " + user->name).c_str());
    ::_exit(127);
  }
  std::vector<char *> words;
  words.reserve(argv.size() + 1);
  for (const std::string &word : argv) words.push_back(const_cast<char *>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words.front(), words.data());
  std::perror(("hostler: " + argv.front()).c_str());
  ::_exit(127);
}

}  // namespace

Result<ReplayWorker> ReplayWorker::create() {
  ReplayWorker made;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return failed("socketpair");
  made.ours_.reset(ends[0]);
  made.theirs_.reset(ends[1]);
  made.page_.reset(::memfd_create("hostler-replay", 0));
  if (!made.page_ || ::ftruncate(made.page_.get(), kSlotSize) != 0) return failed("memfd_create");
  if (::fcntl(made.ours_.get(), F_SETFD, FD_CLOEXEC) != 0) return failed("fcntl");
  return made;
}

Result<void> ReplayWorker::let_go() const {
  HostPart host;
  host.layout = kPageLayout;
  host.go = 1;
  if (::pwrite(page_.get(), &host, sizeof host, offsetof(Page, host)) != sizeof host) return failed("pwrite");
  return {};
}

// A worker that has died before it has read it all is known by its end.
void ReplayWorker::tell(const std::string &frames) const {
  for (std::size_t sent = 0; sent < frames.size();) {
    const ssize_t count = ::send(ours_.get(), frames.data() + sent, frames.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    sent += static_cast<std::size_t>(count);
  }
}

// To the end of all that hold the other side: a program that the plugin has started and left behind, too.
void ReplayWorker::listen(Ended &ended) const {
  FrameReader reader;
  std::array<char, std::size_t{64} << 10> buffer;
  for (;;) {
    const ssize_t count = ::recv(ours_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    reader.append({buffer.data(), static_cast<std::size_t>(count)});
    while (true) {
      const auto frame = reader.next();
      if (!frame || frame->empty()) break;
      auto message = decode_worker_message(*frame);
      if (!message || !take(std::move(*message), ended)) return;
    }
  }
}

// False: there is no more to come. A checkpoint is kept nowhere.
bool ReplayWorker::take(WorkerMessage message, Ended &ended) const {
  if (const auto *segment = std::get_if<SegmentEnded>(&message)) {
    ended.advanced = true;
    for (const auto &[counter, delta] : segment->counters) ended.counters[counter] += delta;
    ended.skipped.insert(ended.skipped.end(), segment->skipped.begin(), segment->skipped.end());
    tell(encode(Checkpointed{segment->lease, segment->position, 0}));
  }
  if (auto *slice = std::get_if<SliceEnded>(&message)) ended.slice = std::move(*slice);
  ended.whole = std::holds_alternative<LeaseEnded>(message);
  return !ended.whole;
}

Result<ReplayWorker::Ended> ReplayWorker::run(const std::vector<std::string> &argv, const std::optional<User> &user,
                                              const Start &start, const Lease &lease) {
  if (auto gone = let_go(); !gone) return tl::unexpected<Error>(gone.error());
  const pid_t pid = ::fork();
  if (pid < 0) return failed("fork");
  if (pid == 0) execute(argv, user);
  theirs_.reset();
  // What the terminal sends is for the worker, or its debugger.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  tell(encode(HostMessage(start)) + encode(HostMessage(lease)) + encode(Dismissed{}));
  Ended ended;
  listen(ended);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  ended.status.signaled = WIFSIGNALED(status);
  ended.status.value = ended.status.signaled ? WTERMSIG(status) : WEXITSTATUS(status);
  ended.status.core = ended.status.signaled && WCOREDUMP(status);
  if (::pread(page_.get(), &ended.page, sizeof ended.page, offsetof(Page, worker)) != sizeof ended.page)
    return failed("pread");
  if (ended.status.signaled) ended.crash = read_crash_slot(page_.get(), 0, ended.status.value);
  return ended;
}

}  // namespace hostler
