#include "edge/event_loop.h"

// The thread sanitizer knows no fences, and one thread runs a loop: its mutex orders all that matters.
#ifdef __SANITIZE_THREAD__
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

#include <sys/epoll.h>

#include <cerrno>

namespace hostler {
namespace {

thread_local int epoll_refused = 0;  // the errno of what epoll did not take on this thread, or 0

int tell_epoll(int set, int what, int fd, epoll_event *event) {
  const int result = ::epoll_ctl(set, what, fd, event);
  if (result != 0) epoll_refused = errno;
  return result;
}

}  // namespace
}  // namespace hostler

// Asio does not look whether epoll takes the two descriptors by which posted calls and timers wake it. Without them it
// would sleep for ever, so we look.
#define epoll_ctl hostler::tell_epoll
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#undef epoll_ctl

#include <system_error>
#include <utility>

#include "edge/descriptor_set.h"

namespace hostler {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Between two looks at what epoll has no room for.
constexpr auto kBetweenPolls = std::chrono::milliseconds(20);

// `generation` tells a wait that was replaced, but had already fired, from the current one.
struct TimerState {
  explicit TimerState(asio::io_context &io) : timer(io) {}
  asio::steady_timer timer;
  EventLoop::Handler handler;
  std::uint64_t generation = 0;
};

}  // namespace

// A fleet is thousands of descriptors. To Asio each is two system calls, one more for every event, and most of a kilobyte;
// so they have a set of their own, and that is the one descriptor that Asio waits for.
struct EventLoop::Impl {
  Impl() : any(io, descriptors.fd()) { wait(); }
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() { any.release(); }

  void wait() {
    any.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code &error) {
      if (error == asio::error::operation_aborted) return;
      descriptors.dispatch([this] { return io.stopped(); });
      wait();
    });
  }
  void look_later() {
    if (!descriptors.is_lacking() || std::exchange(is_looking, true)) return;
    look.expires_after(kBetweenPolls);
    look.async_wait([this](const error_code &) {
      is_looking = false;
      descriptors.look();
      look_later();
    });
  }

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};  // run() sleeps when idle
  DescriptorSet descriptors;
  asio::posix::stream_descriptor any;
  asio::steady_timer look{io};
  bool is_looking = false;
};

struct EventLoop::Watch::Impl : DescriptorSet::Interest {
  using Interest::Interest;
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

EventLoop::EventLoop() {
  epoll_refused = 0;
  try {
    impl_ = std::make_unique<Impl>();
  } catch (const boost::system::system_error &error) {
    throw std::system_error(error.code().value(), std::generic_category(), "epoll");
  }
  if (epoll_refused != 0) throw std::system_error(epoll_refused, std::generic_category(), "epoll");
}
EventLoop::~EventLoop() = default;

EventLoop::Watch EventLoop::watch(int fd, Ready what, Handler handler) {
  auto watch = std::make_unique<Watch::Impl>(impl_->descriptors, fd, what, std::move(handler));
  impl_->look_later();
  return Watch(std::move(watch));
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
