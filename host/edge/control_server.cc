#include "edge/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <list>
#include <utility>

#include "edge/control_socket.h"
#include "edge/status_json.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr int kAcceptsAtOnce = 16;  // then it is the others' turn
constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;
constexpr std::size_t kMaxWaiting = HttpRequestReader::kMaxHeader + HttpRequestReader::kMaxBody;  // of requests to come
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);  // while there are no descriptors left

bool is_hung_up(int fd) {
  pollfd stream{fd, 0, 0};
  return ::poll(&stream, 1, 0) == 1 && (stream.revents & (POLLHUP | POLLERR)) != 0;
}

bool may_connect(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

ControlReply error_reply(int status, std::string what, std::string hint = {}) {
  return {status, "application/json", to_json(Error{"", std::move(what), std::move(hint)})};
}

class Connection;
using Connections = std::list<std::shared_ptr<Connection>>;

// What the connections share.
struct Shared {
  EventLoop &loop;
  ControlHandler handler;
  ControlLimits limits;
  Connections connections;  // in the order of their last activity
  std::size_t held = 0;     // bytes, by all of them

  void keep_within_memory(const Connection *but);
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared &shared, UniqueFd fd)
      : shared_(shared), fd_(std::move(fd)), timer_(shared.loop), next_(shared.loop) {}

  void start(Connections::iterator place) {
    place_ = place;
    watch_reading();
  }
  // Between requests, or in the middle of one.
  [[nodiscard]] bool is_the_clients_turn() const { return !handling_ && out_.empty() && !has_next_; }
  [[nodiscard]] bool holds_memory() const { return held_ > 0; }
  [[nodiscard]] bool idle() const { return is_the_clients_turn() && !requests_.in_request(); }
  // The last thing that is done with a connection; whoever calls holds a reference.
  void close();
  // Answers request number `request`, unless that is no longer waited for.
  void reply(std::uint64_t request, ControlReply reply);

 private:
  void watch_reading();
  void read();
  void end_of_input();
  void advance();
  void take_next();
  void handle(HttpRequest request);
  void refuse(const HttpError &error);
  void write();
  void written_all();
  void touch();
  void start_timer();
  void stop_timer();
  void count_memory();

  Shared &shared_;
  Connections::iterator place_;
  UniqueFd fd_;
  EventLoop::Watch reading_;
  EventLoop::Watch writing_;
  EventLoop::Timer timer_;  // runs while a request is incomplete or a reply is being taken
  EventLoop::Timer next_;   // when others have had their turn
  bool has_next_ = false;   // there may be a request that waits for that
  bool timing_request_ = false;
  bool watching_reading_ = false;
  bool watching_writing_ = false;
  HttpRequestReader requests_;
  std::string out_;
  std::size_t sent_ = 0;       // bytes of it
  std::size_t held_ = 0;       // what of Shared::held is ours
  std::uint64_t request_ = 0;  // number of the one being handled
  bool closed_ = false;
  bool handling_ = false;
  bool input_ended_ = false;
  bool keep_alive_ = true;  // after the reply that is waited for
  bool with_body_ = true;
};

// One request's reply function, however often it was copied.
class PendingReply {
 public:
  PendingReply(std::weak_ptr<Connection> connection, std::uint64_t request)
      : connection_(std::move(connection)), request_(request) {}
  PendingReply(const PendingReply &) = delete;
  PendingReply &operator=(const PendingReply &) = delete;
  ~PendingReply() {
    if (!connection_.expired()) answer(error_reply(500, "the host has no answer"));
  }
  void answer(ControlReply reply) {
    if (const auto connection = connection_.lock()) connection->reply(request_, std::move(reply));
    connection_.reset();
  }

 private:
  std::weak_ptr<Connection> connection_;
  std::uint64_t request_;
};

void Connection::watch_reading() {
  watching_reading_ = true;
  reading_ = shared_.loop.watch(fd_.get(), EventLoop::Ready::Read, [this] { read(); });
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  reading_ = EventLoop::Watch();
  writing_ = EventLoop::Watch();
  timer_.cancel();
  next_.cancel();
  fd_.reset();
  shared_.held -= std::exchange(held_, 0);
  shared_.connections.erase(place_);
}

void Connection::count_memory() {
  if (closed_) return;
  const std::size_t now = requests_.held() + out_.size();
  shared_.held = shared_.held - std::exchange(held_, now) + now;
  if (shared_.held > shared_.limits.memory) shared_.keep_within_memory(this);
}

void Shared::keep_within_memory(const Connection *but) {
  for (auto each = connections.begin(); each != connections.end() && held > limits.memory;) {
    const auto connection = *each++;  // it takes itself off the list
    if (connection.get() != but && connection->holds_memory()) connection->close();
  }
}

void Connection::touch() {
  shared_.connections.splice(shared_.connections.end(), shared_.connections, place_);
}

void Connection::read() {
  const auto self = shared_from_this();
  std::array<char, kReadAtOnce> buffer;
  const ssize_t count = ::read(fd_.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return close();
  if (count == 0) return end_of_input();
  touch();
  requests_.append({buffer.data(), static_cast<std::size_t>(count)});
  advance();
  count_memory();
  if (closed_ || requests_.buffered() <= kMaxWaiting) return;
  reading_ = EventLoop::Watch();  // until the reply that is waited for has been taken
  watching_reading_ = false;
}

// A client that only closed its own side still wants its reply; one that is gone does not.
void Connection::end_of_input() {
  input_ended_ = true;
  reading_ = EventLoop::Watch();
  if (is_hung_up(fd_.get()) || is_the_clients_turn()) close();
}

// Handles the next request that is whole, once the one before has its reply; however many a client has sent, the one that
// follows waits until others have had their turn.
void Connection::advance() {
  if (closed_ || handling_ || !out_.empty() || has_next_) return;
  auto request = requests_.next();
  if (!request || *request) {
    has_next_ = true;
    if (request)
      handle(std::move(**request));
    else
      refuse(request.error());
    if (!closed_) next_.set(EventLoop::now(), [this] { take_next(); });
    return;
  }
  if (input_ended_) return close();
  if (requests_.in_request() && !std::exchange(timing_request_, true)) start_timer();
}

void Connection::take_next() {
  const auto self = shared_from_this();
  has_next_ = false;
  advance();
  count_memory();
}

void Connection::handle(HttpRequest request) {
  stop_timer();
  handling_ = true;
  keep_alive_ = request.keep_alive;
  with_body_ = request.method != "HEAD";
  const auto pending = std::make_shared<PendingReply>(weak_from_this(), ++request_);
  shared_.handler(std::move(request), [pending](ControlReply reply) { pending->answer(std::move(reply)); });
}

void Connection::refuse(const HttpError &error) {
  keep_alive_ = false;
  with_body_ = true;
  handling_ = true;
  reply(++request_, error_reply(error.status, error.what));
}

void Connection::reply(std::uint64_t request, ControlReply reply) {
  if (closed_ || !handling_ || request != request_) return;
  handling_ = false;
  out_ = serialize(std::move(reply), keep_alive_, with_body_);
  start_timer();
  write();
  count_memory();
}

void Connection::write() {
  const auto self = shared_from_this();
  const std::size_t before = sent_;
  while (sent_ < out_.size()) {
    const ssize_t count = ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return close();
    sent_ += static_cast<std::size_t>(count);
  }
  if (sent_ == out_.size()) {
    out_.clear();
    out_.shrink_to_fit();  // a connection may be idle for long after a large reply
    sent_ = 0;
    count_memory();
    return written_all();
  }
  if (sent_ > before) start_timer();
  if (!std::exchange(watching_writing_, true))
    writing_ = shared_.loop.watch(fd_.get(), EventLoop::Ready::Write, [this] { write(); });
}

void Connection::written_all() {
  if (!keep_alive_) return close();
  touch();
  stop_timer();
  writing_ = EventLoop::Watch();
  watching_writing_ = false;
  if (!input_ended_ && !watching_reading_ && requests_.buffered() <= kMaxWaiting) watch_reading();
  advance();
}

void Connection::start_timer() {
  timer_.set(EventLoop::now() + shared_.limits.transfer_time, [this] {
    const auto self = shared_from_this();
    close();
  });
}

void Connection::stop_timer() {
  timing_request_ = false;
  timer_.cancel();
}

}  // namespace

struct ControlServer::Impl {
  Impl(EventLoop &loop, ControlHandler handler, ControlLimits limits, UniqueFd state_dir, UniqueFd listening)
      : shared{loop, std::move(handler), limits, {}},
        dir(std::move(state_dir)),
        socket(std::move(listening)),
        pause(loop) {
    watch_socket();
  }
  void watch_socket() {
    accepting = shared.loop.watch(socket.get(), EventLoop::Ready::Read, [this] { accept(); });
  }
  void accept();
  // Closes the connection that can be spared most; false when all wait for a reply or take one.
  bool close_one();

  Shared shared;
  UniqueFd dir;
  UniqueFd socket;
  EventLoop::Watch accepting;
  EventLoop::Timer pause;
};

bool ControlServer::Impl::close_one() {
  for (const auto may_go : {&Connection::idle, &Connection::is_the_clients_turn})
    for (const auto &connection : shared.connections) {
      if (!(*connection.*may_go)()) continue;
      const auto kept = connection;
      kept->close();
      return true;
    }
  return false;
}

void ControlServer::Impl::accept() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    UniqueFd fd(::accept4(socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return;
    if (!fd && close_one()) continue;  // no descriptors, no memory
    if (!fd) {
      accepting = EventLoop::Watch();
      pause.set(EventLoop::now() + kAcceptPause, [this] { watch_socket(); });
      return;
    }
    if (!may_connect(fd.get())) continue;
    if (shared.connections.size() >= shared.limits.connections && !close_one()) continue;
    auto connection = std::make_shared<Connection>(shared, std::move(fd));
    connection->start(shared.connections.insert(shared.connections.end(), connection));
  }
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlServer::~ControlServer() {
  while (!impl_->shared.connections.empty()) {
    const auto connection = impl_->shared.connections.front();
    connection->close();
  }
  ::unlinkat(impl_->dir.get(), kSocketName, 0);
}

Result<std::unique_ptr<ControlServer>> ControlServer::open(EventLoop &loop, const std::string &state_dir,
                                                           ControlHandler handler, ControlLimits limits) {
  auto dir = open_state_dir(state_dir);
  if (!dir) return tl::unexpected<Error>(dir.error());
  auto socket = listen_in(dir->get());
  if (!socket) {
    socket.error().where = state_dir + "/" + socket.error().where;
    return tl::unexpected<Error>(socket.error());
  }
  return std::unique_ptr<ControlServer>(
      new ControlServer(std::make_unique<Impl>(loop, std::move(handler), limits, std::move(*dir), std::move(*socket))));
}

std::size_t ControlServer::connections() const {
  return impl_->shared.connections.size();
}

}  // namespace hostler
