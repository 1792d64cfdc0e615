#include "edge/event_loop.h"

// The thread sanitizer knows no fences, and one thread runs a loop: its mutex orders all that matters.
#ifdef __SANITIZE_THREAD__
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

#include <fcntl.h>
#include <poll.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <unordered_map>
#include <utility>

namespace hostler {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class Descriptor;
using Descriptors = std::unordered_map<int, std::weak_ptr<Descriptor>>;

// One registration with epoll, shared by all watches of the same number: epoll takes a descriptor only once.
class Descriptor {
 public:
  Descriptor(asio::io_context &io, Descriptors &all, int fd) : all_(all), fd_(fd), stream_(io) { (void)registered(); }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  // A plain close() would leave a descriptor that a child inherited in the epoll set: release() takes it out.
  ~Descriptor() {
    all_.erase(fd_);
    if (stream_.is_open()) stream_.release();
  }
  // The kernel may have no room for it at the moment; tries again.
  [[nodiscard]] bool registered() {
    error_code refused;
    if (!stream_.is_open()) stream_.assign(fd_, refused);
    if (refused) ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
    return stream_.is_open();
  }
  // As it is now. Asio keeps what epoll said of a descriptor that is released in the same turn, and says it again of
  // whatever is watched next: a handler that kills by what it is told must not hear that.
  [[nodiscard]] bool ready(asio::posix::descriptor_base::wait_type what) const {
    pollfd state{fd_, static_cast<short>(what == asio::posix::descriptor_base::wait_read ? POLLIN : POLLOUT), 0};
    return ::poll(&state, 1, 0) > 0;
  }
  [[nodiscard]] asio::posix::stream_descriptor &stream() { return stream_; }
  void cancel() {
    error_code ignored;
    stream_.cancel(ignored);
  }

 private:
  Descriptors &all_;
  int fd_;
  asio::posix::stream_descriptor stream_;
};

// What a pending wait keeps alive; the Watch ends it.
struct WatchState {
  std::shared_ptr<Descriptor> descriptor;  // empty: ended
  asio::posix::descriptor_base::wait_type what;
  EventLoop::Handler handler;
  bool in_handler = false;
  std::unique_ptr<asio::steady_timer> look;  // made when epoll does not take it
};

// Between two looks at what epoll has no room for.
constexpr auto kBetweenLooks = std::chrono::milliseconds(20);

void wait(const std::shared_ptr<WatchState> &state);

void call(const std::shared_ptr<WatchState> &state) {
  state->in_handler = true;
  state->handler();
  state->in_handler = false;
}

void look_later(const std::shared_ptr<WatchState> &state) {
  if (!state->look) state->look = std::make_unique<asio::steady_timer>(state->descriptor->stream().get_executor());
  state->look->expires_after(kBetweenLooks);
  state->look->async_wait([state](const error_code &) {
    if (state->descriptor && state->descriptor->ready(state->what)) call(state);
    if (state->descriptor) wait(state);
  });
}

void wait(const std::shared_ptr<WatchState> &state) {
  if (!state->descriptor->registered()) return look_later(state);
  state->descriptor->stream().async_wait(state->what, [state](const error_code &error) {
    if (!state->descriptor) return;
    if (error && error != asio::error::operation_aborted) return look_later(state);
    // Aborted without having ended: a neighbour on the same descriptor was cancelled.
    if (!error && state->descriptor->ready(state->what)) call(state);
    if (state->descriptor) wait(state);
  });
}

// `generation` tells a wait that was replaced, but had already fired, from the current one.
struct TimerState {
  explicit TimerState(asio::io_context &io) : timer(io) {}
  asio::steady_timer timer;
  EventLoop::Handler handler;
  std::uint64_t generation = 0;
};

}  // namespace

struct EventLoop::Impl {
  Descriptors descriptors;  // outlives the waits in `io`
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};  // run() sleeps when idle
};

struct EventLoop::Watch::Impl {
  explicit Impl(std::shared_ptr<WatchState> started) : state(std::move(started)) {}
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() {
    state->descriptor->cancel();
    if (state->look) state->look->cancel();
    state->descriptor.reset();
    if (!state->in_handler) state->handler = nullptr;  // what it captured goes now, not with the aborted wait
  }
  std::shared_ptr<WatchState> state;
};

EventLoop::Watch::Watch() = default;
EventLoop::Watch::Watch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventLoop::Watch::Watch(Watch &&) noexcept = default;
EventLoop::Watch &EventLoop::Watch::operator=(Watch &&) noexcept = default;
EventLoop::Watch::~Watch() = default;

struct EventLoop::Timer::Impl {
  explicit Impl(asio::io_context &io) : state(std::make_shared<TimerState>(io)) {}
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() { cancel(); }
  void cancel() const {
    ++state->generation;
    state->handler = nullptr;
    state->timer.cancel();
  }
  std::shared_ptr<TimerState> state;
};

EventLoop::Timer::Timer(EventLoop &loop) : impl_(std::make_unique<Impl>(loop.impl_->io)) {}
EventLoop::Timer::Timer(Timer &&) noexcept = default;
EventLoop::Timer &EventLoop::Timer::operator=(Timer &&) noexcept = default;
EventLoop::Timer::~Timer() = default;

void EventLoop::Timer::set(TimePoint at, Handler handler) {
  const auto &state = impl_->state;
  ++state->generation;
  state->handler = std::move(handler);
  state->timer.expires_at(at);
  state->timer.async_wait([state, generation = state->generation](const error_code &) {
    if (generation != state->generation) return;
    // Moved out first: the handler may set the timer again, or end it.
    const Handler due = std::exchange(state->handler, nullptr);
    due();
  });
}

void EventLoop::Timer::cancel() {
  impl_->cancel();
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

EventLoop::Watch EventLoop::watch(int fd, Ready what, Handler handler) {
  auto descriptor = impl_->descriptors[fd].lock();
  if (!descriptor) {
    descriptor = std::make_shared<Descriptor>(impl_->io, impl_->descriptors, fd);
    impl_->descriptors[fd] = descriptor;
  }
  const auto type =
      what == Ready::Read ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write;
  auto state = std::make_shared<WatchState>(
      WatchState{.descriptor = std::move(descriptor), .what = type, .handler = std::move(handler), .look = {}});
  wait(state);
  return Watch(std::make_unique<Watch::Impl>(std::move(state)));
}

void EventLoop::post(Handler handler) {
  asio::post(impl_->io, std::move(handler));
}

void EventLoop::run() {
  impl_->io.run();
  impl_->io.restart();  // not before run(): a stop() that came early counts
}

void EventLoop::stop() {
  impl_->io.stop();
}

TimePoint EventLoop::now() {
  return std::chrono::steady_clock::now();
}

}  // namespace hostler
