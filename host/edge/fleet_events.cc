// What comes from a worker: its messages, and its end, with the death of all that it has left behind.
#include <poll.h>
#include <sys/socket.h>
#include <csignal>

#include <array>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "edge/fleet_worker.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

// Read from one worker in one go: some hundred messages, a millisecond or two. Then the others have their turn, and who
// asks for the status. After its death: more than a socket can hold.
constexpr std::size_t kReadOfAChannel = std::size_t{16} << 10;
constexpr std::size_t kLastWords = std::size_t{64} << 20;
// A worker that has closed its channel is about to end. One that does not cannot tell a verdict any more.
constexpr Duration kAfterClosing = std::chrono::seconds(1);
// What a worker left behind dies of SIGKILL at once, unless the kernel or its user does not let it.
constexpr Duration kBetweenKills = std::chrono::milliseconds(5);
constexpr Duration kForTheRest = std::chrono::seconds(30);

// Nobody is left who could print into it. What lives on after its worker most often can, as it took its streams with it.
bool hangs_up(int output) {
  pollfd end{output, 0, 0};
  return ::poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0;
}

}  // namespace

void Fleet::on_channel(WorkerId id) {
  std::array<char, kReadOfAChannel> piece;
  Worker *worker = find(id);
  if (worker == nullptr) return;
  const ssize_t size = ::recv(worker->channel.get(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (size < 0) return;  // it has left something unread; the end of file comes next
  if (size == 0) return on_closed_line(id);
  if (worker->is_dead) return;  // somebody else speaks
  worker->reader.append({piece.data(), static_cast<std::size_t>(size)});
  deliver(id);
}

// Nobody holds the other end any more: the end of a dead worker is complete; one that lives is about to die, or cannot
// tell what becomes of its slice.
void Fleet::on_closed_line(WorkerId id) {
  Worker &worker = *find(id);
  worker.channel_watch = {};
  worker.line_is_closed = true;
  if (is_over(worker)) return bury(id);
  if (worker.is_dead || !worker.is_job) return;
  worker.patience = std::make_unique<EventLoop::Timer>(loop_);
  worker.patience->set(EventLoop::now() + kAfterClosing, [this, id] {
    garbage(id, {{}, "closed its line to the host", {}});
  });
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
    ++heard_;
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
  worker->patience.reset();
  // What it said before is still in the socket; what a process of its own goes on saying there is bounded.
  std::array<char, kReadOfAChannel> piece;
  std::size_t taken = 0;
  ssize_t size = 0;
  while (worker != nullptr && taken < kLastWords) {
    size = ::recv(worker->channel.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (size < 0 && errno == ECONNRESET) continue;
    if (size <= 0) break;
    taken += static_cast<std::size_t>(size);
    if (!worker->is_garbage) {
      worker->reader.append({piece.data(), static_cast<std::size_t>(size)});
      deliver(id);
    }
    worker = find(id);
  }
  worker->is_dead = true;
  worker->line_is_closed = size == 0;
  worker->died = EventLoop::now();
  worker->death_watch = {};
  take_status(*worker);
  worker->rest_is_known = hangs_up(worker->output->get()) || strays_.end();
  if (is_over(*worker)) return bury(id);
  // Something that it has started lives, if only for the moment that killing its group takes.
  worker->is_garbage = false;
  if (worker->line_is_closed)
    worker->channel_watch = {};
  else
    worker->channel_watch = loop_.watch(worker->channel.get(), EventLoop::Ready::Read, [this, id] { on_channel(id); });
  worker->patience = std::make_unique<EventLoop::Timer>(loop_);
  worker->patience->set(EventLoop::now(), [this, id] { end_the_rest(id); });
}

// Looks again and again, as what is killed may have started more.
void Fleet::end_the_rest(WorkerId id) {
  Worker &worker = *find(id);
  take_status(worker);
  kill_group(worker);
  if (strays_.end() || hangs_up(worker.output->get())) worker.rest_is_known = true;
  if (is_over(worker)) return bury(id);
  const TimePoint now = EventLoop::now();
  if (now - worker.died > kForTheRest) {
    logs_.host(LogLevel::Error, fmt::format("{}/{}[{}] has left a process behind that does not die of SIGKILL",
                                            worker.entry, worker.instance, worker.pid));
    return bury(id);
  }
  worker.patience->set(now + kBetweenKills, [this, id] { end_the_rest(id); });
}

// Only after its group was killed: with the status its number goes. Who traces it gets the status before us.
void Fleet::take_status(Worker &worker) {
  if (worker.status) return;
  if (const auto status = reap(worker.pidfd)) worker.status = std::make_unique<WaitStatus>(*status);
}

// It is dead, and nothing that it has started has a part in it any more. A process closes its end of the line a little
// before it gives back the rest of what it has, so what is known to be dying is waited for. Nobody else can have the
// number of a group that has members.
bool Fleet::is_over(const Worker &worker) const {
  if (!worker.is_dead || !worker.line_is_closed || !worker.rest_is_known || !worker.status) return false;
  const bool group_is_empty = ::kill(-worker.pid, 0) != 0 && errno == ESRCH;
  return group_is_empty && !strays_.remain_since(worker.died) && (!worker.cgroup || !worker.cgroup->is_populated());
}

// One that is traced to the end, and whose status nobody gave us, counts as killed.
WaitStatus Fleet::verdict(const Worker &worker) {
  WaitStatus status = worker.status ? *worker.status : WaitStatus{true, SIGKILL, false};
  if (worker.memory_limit >= 0 && status.signaled && status.value == SIGKILL && worker.cgroup->ran_out_of_memory())
    status.out_of_memory = worker.memory_limit;
  return status;
}

void Fleet::bury(WorkerId id) {
  const Worker *worker = find(id);
  const WaitStatus status = verdict(*worker);
  const WorkerPart page = pages_.read(*worker->page);  // it was forked, so it was prepared
  auto crash = status.signaled ? pages_.read_crash(*worker->page, status.value) : std::nullopt;
  const pid_t pid = worker->pid;
  release_page(*worker);
  workers_.erase(id);
  ++heard_;
  strays_.end_soon();  // what closed all that it had inherited delays nobody's exit
  if (crash) {
    const Crash understood = understand(*crash);
    crashes_.keep(id, pid, std::move(*crash));
    events_->on_crash(id, understood);
  }
  events_->on_exit(id, status, page);
}

}  // namespace hostler
