#include "edge/event_loop.h"

// The thread sanitizer knows no fences, and one thread runs a loop: its mutex orders all that matters.
#ifdef __SANITIZE_THREAD__
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kMostEvents = 256;                // told in one turn
constexpr std::size_t kMoreDescriptors = 1024;  // room is made for so many at once
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLHUP | EPOLLERR;

// A fleet is thousands of descriptors. To Asio each is two system calls, one more for every event, and most of a kilobyte;
// so they have an epoll set of their own, level-triggered, and that is the one descriptor that Asio waits for.
class DescriptorSet {
 public:
  using Interest = EventLoop::Watch::Impl;

  explicit DescriptorSet(asio::io_context &io) : io_(io), set_(::epoll_create1(EPOLL_CLOEXEC)), any_(io, set_.get()) {
    wait();
  }
  DescriptorSet(const DescriptorSet &) = delete;
  DescriptorSet &operator=(const DescriptorSet &) = delete;
  ~DescriptorSet() { any_.release(); }

  void add(Interest &interest);
  void remove(Interest &interest);

 private:
  // The number of a descriptor is used again soon, maybe while events of its former owner are still to be told:
  // `generation` tells them apart.
  struct Descriptor {
    Interest *reader = nullptr;
    Interest *writer = nullptr;
    std::uint32_t generation = 0;
    bool refused = false;  // epoll does not take it: always ready, and the handler finds out by itself

    [[nodiscard]] std::uint32_t events() const {
      return (reader != nullptr ? EPOLLIN | EPOLLRDHUP : 0U) | (writer != nullptr ? EPOLLOUT : 0U);
    }
  };

  void wait();
  void dispatch();
  void tell(std::size_t fd, std::uint32_t generation, std::uint32_t events);
  void call(Interest *interest);
  void change(int fd, Descriptor &descriptor, std::uint32_t before);
  void refuse(int fd, Descriptor &descriptor);

  asio::io_context &io_;
  UniqueFd set_;
  asio::posix::stream_descriptor any_;
  std::vector<Descriptor> descriptors_;  // by number
  Interest *called_ = nullptr;           // its handler runs; null again when it has ended in that
};

// `generation` tells a wait that was replaced, but had already fired, from the current one.
struct TimerState {
  explicit TimerState(asio::io_context &io) : timer(io) {}
  asio::steady_timer timer;
  EventLoop::Handler handler;
  std::uint64_t generation = 0;
};

}  // namespace

struct EventLoop::Impl {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};  // run() sleeps when idle
  DescriptorSet descriptors{io};
};

struct EventLoop::Watch::Impl {
  Impl(DescriptorSet &of, int number, Ready what, Handler handles)
      : set(of), fd(number), ready(what), handler(std::move(handles)) {
    set.add(*this);
  }
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() { set.remove(*this); }

  DescriptorSet &set;
  int fd;
  Ready ready;
  Handler handler;
};

namespace {

void DescriptorSet::add(Interest &interest) {
  const auto index = static_cast<std::size_t>(interest.fd);
  if (descriptors_.size() <= index) {
    if (descriptors_.capacity() <= index) descriptors_.reserve(index + kMoreDescriptors);
    descriptors_.resize(index + 1);
  }
  Descriptor &descriptor = descriptors_[index];
  const std::uint32_t before = descriptor.events();
  if (before == 0) {
    ++descriptor.generation;
    int on = 1;
    ::ioctl(interest.fd, FIONBIO, &on);
  }
  (interest.ready == EventLoop::Ready::Read ? descriptor.reader : descriptor.writer) = &interest;
  change(interest.fd, descriptor, before);
}

void DescriptorSet::remove(Interest &interest) {
  if (called_ == &interest) called_ = nullptr;
  Descriptor &descriptor = descriptors_[static_cast<std::size_t>(interest.fd)];
  Interest *&place = interest.ready == EventLoop::Ready::Read ? descriptor.reader : descriptor.writer;
  if (place != &interest) return;  // another has taken it over
  const std::uint32_t before = descriptor.events();
  place = nullptr;
  change(interest.fd, descriptor, before);
}

// A plain close() would leave a descriptor that a child inherited in the epoll set: it is taken out by hand.
void DescriptorSet::change(int fd, Descriptor &descriptor, std::uint32_t before) {
  const std::uint32_t wanted = descriptor.events();
  if (wanted == before) return;
  if (descriptor.refused) {
    descriptor.refused = wanted != 0;
    return;
  }
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = std::uint64_t{descriptor.generation} << 32U | static_cast<std::uint32_t>(fd);
  const int how = wanted == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(set_.get(), how, fd, &event) == 0 || wanted == 0) return;
  descriptor.refused = true;
  refuse(fd, descriptor);
}

// Its handlers are called in every turn until the watches end.
void DescriptorSet::refuse(int fd, Descriptor &descriptor) {
  asio::post(io_, [this, fd, generation = descriptor.generation] {
    const auto index = static_cast<std::size_t>(fd);
    tell(index, generation, kReadable | kWritable);
    Descriptor &same = descriptors_[index];
    if (same.generation == generation && same.refused) refuse(fd, same);
  });
}

void DescriptorSet::wait() {
  any_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code &error) {
    if (error == asio::error::operation_aborted) return;
    dispatch();
    wait();
  });
}

void DescriptorSet::dispatch() {
  std::array<epoll_event, kMostEvents> events;
  const int count = ::epoll_wait(set_.get(), events.data(), kMostEvents, 0);
  // What is left over when the loop was stopped is told again by the next wait.
  for (int i = 0; i < count && !io_.stopped(); ++i) {
    const epoll_event &event = events[static_cast<std::size_t>(i)];
    tell(event.data.u64 & 0xffffffffU, static_cast<std::uint32_t>(event.data.u64 >> 32U), event.events);
  }
}

void DescriptorSet::tell(std::size_t fd, std::uint32_t generation, std::uint32_t events) {
  // Looked up each time: a handler may change the table.
  const auto is_the_same = [&] { return descriptors_[fd].generation == generation && !io_.stopped(); };
  if ((events & kReadable) != 0 && is_the_same()) call(descriptors_[fd].reader);
  if ((events & kWritable) != 0 && is_the_same()) call(descriptors_[fd].writer);
}

void DescriptorSet::call(Interest *interest) {
  if (interest == nullptr) return;
  // Held here meanwhile: the watch may end in its own handler.
  EventLoop::Handler handler = std::move(interest->handler);
  called_ = interest;
  handler();
  if (called_ == interest) interest->handler = std::move(handler);
  called_ = nullptr;
}

}  // namespace

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
  return Watch(std::make_unique<Watch::Impl>(impl_->descriptors, fd, what, std::move(handler)));
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
