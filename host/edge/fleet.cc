#include "edge/fleet.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "edge/pidfd.h"

namespace hostler {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;
// Read from one worker in one go; the others want their turn. After its death: more than a socket can hold.
constexpr std::size_t kOneTurn = std::size_t{1} << 20;
constexpr std::size_t kLastWords = std::size_t{64} << 20;

std::string errno_words(const char *what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

rlimit raise_open_files() {
  rlimit before{};
  if (::getrlimit(RLIMIT_NOFILE, &before) == 0) {
    const rlimit highest{before.rlim_max, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &highest);
  }
  return before;
}

pid_t parent_of(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string word;
  while (status >> word)
    if (word == "PPid:") {
      pid_t parent = 0;
      status >> parent;
      return parent;
    }
  return 0;
}

}  // namespace

struct Fleet::Worker {
  WorkerId id = 0;
  std::string entry;
  std::int32_t instance = 0;
  std::uint32_t page = 0;
  HostPart host_part;
  pid_t pid = 0;  // 0: not forked yet
  UniqueFd pidfd;
  UniqueFd channel;
  UniqueFd log;  // until there is a pid to call its lines by
  FrameReader reader;
  std::string outgoing;
  std::size_t sent = 0;    // of `outgoing`
  bool dismissed = false;  // no more is sent, once `outgoing` is empty
  bool kill_at_birth = false;
  bool is_garbage = false;  // it said something that cannot be right: nothing more is read
  EventLoop::Watch channel_watch;
  EventLoop::Watch write_watch;
  bool write_watched = false;
  EventLoop::Watch death_watch;
};

Result<std::unique_ptr<Fleet>> Fleet::create(EventLoop &loop, LogFiles &logs, FleetLock lock, const FleetPaths &paths) {
  auto pages = PageFile::open(paths.state_dir);
  if (!pages) return tl::unexpected(pages.error());
  UniqueFd binary(::open(paths.binary.c_str(), O_RDONLY | O_CLOEXEC));
  if (!binary) return fail(paths.binary, std::strerror(errno));
  return std::unique_ptr<Fleet>(
      new Fleet(loop, logs, std::move(lock), std::move(*pages), std::move(binary), raise_open_files()));
}

Fleet::Fleet(EventLoop &loop, LogFiles &logs, FleetLock lock, PageFile pages, UniqueFd binary, const rlimit &open_files)
    : loop_(loop),
      logs_(logs),
      lock_(std::move(lock)),
      pages_(std::move(pages)),
      binary_(std::move(binary)),
      alarm_(loop),
      random_(std::random_device{}()),
      template_(
          loop, {binary_.get(), lock_.fd(), pages_.fd(), open_files},
          [this](std::uint64_t id, const Result<int> &pid) { on_forked(id, pid); }, [this] { end_strays(); }) {}

Fleet::~Fleet() {
  const bool forks_under_way =
      std::any_of(workers_.begin(), workers_.end(), [](const auto &each) { return each.second->pid == 0; });
  for (const auto &[id, worker] : workers_) kill_group(*worker);
  template_.end();
  if (forks_under_way) end_strays();
  const auto bury = [](const UniqueFd &pidfd) {
    if (!pidfd) return;
    (void)wait_for_death(pidfd, std::chrono::seconds(10));
    (void)reap(pidfd);
  };
  for (const auto &[id, worker] : workers_) bury(worker->pidfd);
  for (const auto &[pid, stray] : strays_) bury(stray.pidfd);
  lock_.end_holders();  // what plugins have forked, and what has left its group
  pages_.remove();      // under the lock still: the next host opens its own after it has that
}

TimePoint Fleet::now() {
  return EventLoop::now();
}

double Fleet::random() {
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

void Fleet::set_alarm(std::optional<TimePoint> at) {
  if (at) {
    alarm_.set(*at, [this] { events_->on_alarm(); });
  } else {
    alarm_.cancel();
  }
}

Fleet::Worker *Fleet::find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

void Fleet::spawn(WorkerId id, const SpawnRequest &request) {
  const auto refuse = [&](Error error) {
    loop_.post([this, id, error = std::move(error), alive = std::weak_ptr(alive_)] {
      if (!alive.expired()) events_->on_spawn_failed(id, error);
    });
  };
  std::array<int, 2> channel{};
  std::array<int, 2> log{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel.data()) != 0)
    return refuse({{}, errno_words("no socket for the worker"), {}});
  auto worker = std::make_unique<Worker>();
  worker->channel.reset(channel[0]);
  UniqueFd worker_end(channel[1]);
  if (::pipe2(log.data(), O_CLOEXEC) != 0) return refuse({{}, errno_words("no pipe for the worker's output"), {}});
  worker->log.reset(log[0]);
  UniqueFd log_end(log[1]);
  ::fcntl(worker->channel.get(), F_SETFL, O_NONBLOCK);
  const auto page = pages_.allocate();
  if (!page) return refuse(page.error());

  worker->id = id;
  worker->entry = request.name;
  worker->instance = request.instance;
  worker->page = *page;
  worker->host_part.layout = kPageLayout;
  worker->host_part.count = request.count;
  workers_[id] = std::move(worker);
  template_.spawn(id, *page, fmt::format("hostler: {} {}/{}", request.name, request.instance, request.count),
                  std::move(worker_end), std::move(log_end));
}

void Fleet::fail_spawn(WorkerId id, const Error &error) {
  const Worker *worker = find(id);
  if (worker == nullptr) return;
  pages_.release(worker->page);
  workers_.erase(id);
  events_->on_spawn_failed(id, error);
}

void Fleet::on_forked(WorkerId id, const Result<int> &pid) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  if (!pid) return fail_spawn(id, pid.error());
  worker->pid = *pid;
  // It is our child and not reaped, so the number is its own even if it has died already.
  worker->pidfd = open_pidfd(*pid);
  if (!worker->pidfd) {
    const Error error{{}, errno_words("no descriptor for the worker"), {}};
    kill_group(*worker);
    ::waitpid(*pid, nullptr, 0);  // it is in the kernel's hands: no long wait
    return fail_spawn(id, error);
  }
  logs_.add(std::move(worker->log), worker->entry, worker->instance, *pid);
  worker->channel_watch = loop_.watch(worker->channel.get(), EventLoop::Ready::Read, [this, id] { on_channel(id); });
  worker->death_watch = loop_.watch(worker->pidfd.get(), EventLoop::Ready::Read, [this, id] { on_death(id); });
  if (worker->kill_at_birth) kill_group(*worker);
  events_->on_spawned(id, *pid);
}

void Fleet::start(WorkerId id, const Start &start) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->host_part.go = 1;
  worker->host_part.count = start.count;
  pages_.write(worker->page, worker->host_part);
  send(*worker, encode(start));
}

void Fleet::lease(WorkerId id, const Lease &lease) {
  if (Worker *worker = find(id)) send(*worker, encode(lease));
}

void Fleet::set_count(WorkerId id, std::int32_t count) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->host_part.count = count;
  pages_.write(worker->page, worker->host_part);
}

void Fleet::stop(WorkerId id, StopWord word, int signal) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->host_part.stop = static_cast<std::uint32_t>(word);
  pages_.write(worker->page, worker->host_part);
  // One that is not forked yet looks at its page before it runs anything.
  if (signal != 0 && worker->pidfd) send_signal(worker->pidfd, signal);
}

void Fleet::dismiss(WorkerId id) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->dismissed = true;
  flush(*worker);
}

void Fleet::kill(WorkerId id) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  worker->kill_at_birth = worker->pid == 0;
  kill_group(*worker);
}

WorkerPart Fleet::page(WorkerId id) {
  const Worker *worker = find(id);
  return worker == nullptr ? WorkerPart{} : pages_.read(worker->page);
}

// The leader is not reaped, so both numbers are its own. It may not be the leader of its group yet.
void Fleet::kill_group(const Worker &worker) {
  if (worker.pid == 0) return;
  ::kill(-worker.pid, SIGKILL);
  ::kill(worker.pid, SIGKILL);
}

void Fleet::send(Worker &worker, std::string frame) {
  if (worker.dismissed) return;
  if (worker.outgoing.empty()) {
    worker.outgoing = std::move(frame);
  } else {
    worker.outgoing += frame;
  }
  flush(worker);
}

void Fleet::flush(Worker &worker) {
  while (worker.sent < worker.outgoing.size()) {
    const std::string_view rest = std::string_view(worker.outgoing).substr(worker.sent);
    const ssize_t size = ::send(worker.channel.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    // An error: it has gone, and its death is on the way.
    worker.sent = size < 0 ? worker.outgoing.size() : worker.sent + static_cast<std::size_t>(size);
  }
  if (worker.sent == worker.outgoing.size()) {
    worker.outgoing.clear();
    worker.sent = 0;
  }
  const bool wanted = !worker.outgoing.empty();
  if (wanted && !worker.write_watched)
    worker.write_watch =
        loop_.watch(worker.channel.get(), EventLoop::Ready::Write, [this, id = worker.id] { on_writable(id); });
  if (!wanted) worker.write_watch = {};
  worker.write_watched = wanted;
  if (!wanted && worker.dismissed) ::shutdown(worker.channel.get(), SHUT_WR);
}

void Fleet::on_writable(WorkerId id) {
  if (Worker *worker = find(id)) flush(*worker);
}

void Fleet::on_channel(WorkerId id) {
  std::array<char, kPiece> piece;
  std::size_t taken = 0;
  while (taken < kOneTurn) {
    Worker *worker = find(id);
    if (worker == nullptr) return;
    const ssize_t size = ::recv(worker->channel.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0) return;
    if (size == 0) {  // it has closed its end, and the death it is likely to die comes by the pidfd
      worker->channel_watch = {};
      return;
    }
    taken += static_cast<std::size_t>(size);
    worker->reader.append({piece.data(), static_cast<std::size_t>(size)});
    deliver(id);
  }
}

// Each message may change the fleet, so nothing of it is held across a call of the events.
void Fleet::deliver(WorkerId id) {
  while (Worker *worker = find(id)) {
    if (worker->is_garbage) return;
    const auto frame = worker->reader.next();
    if (!frame) return garbage(id, frame.error());
    if (frame->empty()) return;
    const auto message = decode_worker_message(*frame);
    if (!message) return garbage(id, message.error());
    events_->on_message(id, *message);
  }
}

void Fleet::garbage(WorkerId id, const Error &error) {
  Worker *worker = find(id);
  worker->is_garbage = true;
  worker->channel_watch = {};
  kill_group(*worker);
  events_->on_garbage(id, error);
}

void Fleet::on_death(WorkerId id) {
  Worker *worker = find(id);
  if (worker == nullptr) return;
  kill_group(*worker);
  // What it said before is still in the socket; what a process of its own goes on saying there is bounded.
  std::array<char, kPiece> piece;
  std::size_t taken = 0;
  while (worker != nullptr && !worker->is_garbage && taken < kLastWords) {
    const ssize_t size = ::recv(worker->channel.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size <= 0) break;
    taken += static_cast<std::size_t>(size);
    worker->reader.append({piece.data(), static_cast<std::size_t>(size)});
    deliver(id);
    worker = find(id);
  }
  const auto status = reap(worker->pidfd);
  const WorkerPart page = pages_.read(worker->page);
  pages_.release(worker->page);
  workers_.erase(id);
  events_->on_exit(id, status.value_or(WaitStatus{}), page);
}

// They hold the fleet lock, are our children, and nobody was told of them. They wait for a GO that never comes.
void Fleet::end_strays() {
  for (const pid_t pid : lock_.holders()) {
    bool known = pid == template_.pid() || strays_.contains(pid);
    for (const auto &[id, worker] : workers_) known = known || (worker->pid == pid && worker->pidfd);
    if (known || parent_of(pid) != ::getpid()) continue;
    UniqueFd pidfd = open_pidfd(pid);
    if (!pidfd) continue;
    send_signal(pidfd, SIGKILL);
    Stray &stray = strays_[pid];
    stray.pidfd = std::move(pidfd);
    stray.watch = loop_.watch(stray.pidfd.get(), EventLoop::Ready::Read, [this, pid] {
      (void)reap(strays_[pid].pidfd);
      strays_[pid].watch = {};
      strays_.erase(pid);
    });
  }
}

}  // namespace hostler
