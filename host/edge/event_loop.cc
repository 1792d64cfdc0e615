#include "edge/event_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr int kMostEvents = 256;                // taken from the kernel at once
constexpr std::size_t kMoreDescriptors = 1024;  // room is made for so many at once
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLHUP | EPOLLERR;

// A descriptor's number is used again soon, maybe while events of its former owner are still to be told: `generation`
// tells them apart.
struct Descriptor {
  EventLoop::Watch::Impl *reader = nullptr;
  EventLoop::Watch::Impl *writer = nullptr;
  std::uint32_t generation = 0;
  bool refused = false;  // epoll does not take it: always ready, and the handler finds out by itself
};

}  // namespace

struct EventLoop::Impl {
  Impl() {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeUp;
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake_up.get(), &event);
  }

  static constexpr std::uint64_t kWakeUp = std::numeric_limits<std::uint64_t>::max();

  void turn();
  [[nodiscard]] int milliseconds_to_wait();
  void dispatch(const epoll_event &event);
  void call(Watch::Impl *watch);
  void register_events(int fd, Descriptor &descriptor, std::uint32_t before);
  void call_refused();
  void run_timers();
  void run_posted();

  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  UniqueFd wake_up{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::vector<Descriptor> descriptors;  // by number
  std::vector<int> refused;
  Watch::Impl *called = nullptr;  // its handler runs; null again when it has ended in that
  std::multimap<TimePoint, Timer::Impl *> timers;
  bool stopped = false;

  std::mutex mutex;  // for what post() touches
  std::deque<Handler> posted;
  bool awake = true;  // no need to wake it
};

struct EventLoop::Watch::Impl {
  Impl(EventLoop::Impl &its_loop, int number, Ready what, Handler handles)
      : loop(its_loop), fd(number), ready(what), handler(std::move(handles)) {
    const auto index = static_cast<std::size_t>(fd);
    if (loop.descriptors.size() <= index) {
      if (loop.descriptors.capacity() <= index) loop.descriptors.reserve(index + kMoreDescriptors);
      loop.descriptors.resize(index + 1);
    }
    Descriptor &descriptor = loop.descriptors[index];
    const std::uint32_t before = events(descriptor);
    if (before == 0) {
      ++descriptor.generation;
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
    (ready == Ready::Read ? descriptor.reader : descriptor.writer) = this;
    loop.register_events(fd, descriptor, before);
  }
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() {
    Descriptor &descriptor = loop.descriptors[static_cast<std::size_t>(fd)];
    if (loop.called == this) loop.called = nullptr;
    Impl *&place = ready == Ready::Read ? descriptor.reader : descriptor.writer;
    if (place != this) return;  // another has taken it over
    const std::uint32_t before = events(descriptor);
    place = nullptr;
    loop.register_events(fd, descriptor, before);
  }

  static std::uint32_t events(const Descriptor &descriptor) {
    return (descriptor.reader != nullptr ? EPOLLIN | EPOLLRDHUP : 0U) | (descriptor.writer != nullptr ? EPOLLOUT : 0U);
  }

  EventLoop::Impl &loop;
  int fd;
  Ready ready;
  Handler handler;
};

struct EventLoop::Timer::Impl {
  explicit Impl(EventLoop::Impl &its_loop) : loop(its_loop), place(loop.timers.end()) {}
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() { cancel(); }
  void cancel() {
    if (place != loop.timers.end()) loop.timers.erase(place);
    place = loop.timers.end();
    handler = nullptr;
  }
  EventLoop::Impl &loop;
  std::multimap<TimePoint, Impl *>::iterator place;
  Handler handler;
};

// A plain close() would leave a descriptor that a child inherited in the epoll set: it is taken out by hand.
void EventLoop::Impl::register_events(int fd, Descriptor &descriptor, std::uint32_t before) {
  const std::uint32_t wanted = Watch::Impl::events(descriptor);
  if (descriptor.refused) {
    if (wanted != 0) return;
    descriptor.refused = false;
    std::erase(refused, fd);
    return;
  }
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = std::uint64_t{descriptor.generation} << 32U | static_cast<std::uint32_t>(fd);
  const int how = wanted == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (::epoll_ctl(epoll.get(), how, fd, &event) == 0 || wanted == 0) return;
  descriptor.refused = true;
  refused.push_back(fd);
}

void EventLoop::Impl::turn() {
  std::array<epoll_event, kMostEvents> events;
  const int count = ::epoll_wait(epoll.get(), events.data(), kMostEvents, milliseconds_to_wait());
  {
    const std::lock_guard lock(mutex);
    awake = true;
  }
  for (int i = 0; i < count && !stopped; ++i) dispatch(events[static_cast<std::size_t>(i)]);
  call_refused();
  run_timers();
  run_posted();
}

// -1: until something happens. From here to the end of the wait, post() wakes us.
int EventLoop::Impl::milliseconds_to_wait() {
  const std::lock_guard lock(mutex);
  if (!posted.empty() || !refused.empty() || stopped) return 0;
  if (timers.empty()) {
    awake = false;
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers.begin()->first - now()).count();
  if (left <= 0) return 0;
  awake = false;
  return static_cast<int>(std::min<std::int64_t>(left, std::numeric_limits<int>::max()));
}

void EventLoop::Impl::dispatch(const epoll_event &event) {
  if (event.data.u64 == kWakeUp) {
    std::uint64_t count = 0;
    if (::read(wake_up.get(), &count, sizeof count) < 0) errno = 0;  // somebody was quicker
    return;
  }
  const auto fd = static_cast<std::size_t>(event.data.u64 & 0xffffffffU);
  const auto generation = static_cast<std::uint32_t>(event.data.u64 >> 32U);
  // Looked up each time: a handler may change the table.
  const auto is_the_same = [&] { return descriptors[fd].generation == generation && !stopped; };
  if ((event.events & kReadable) != 0 && is_the_same()) call(descriptors[fd].reader);
  if ((event.events & kWritable) != 0 && is_the_same()) call(descriptors[fd].writer);
}

void EventLoop::Impl::call(Watch::Impl *watch) {
  if (watch == nullptr) return;
  // Held here meanwhile: the watch may end in its own handler.
  Handler handler = std::move(watch->handler);
  called = watch;
  handler();
  if (called == watch) watch->handler = std::move(handler);
  called = nullptr;
}

void EventLoop::Impl::call_refused() {
  for (const int fd : std::vector<int>(refused)) {
    const auto index = static_cast<std::size_t>(fd);
    if (!stopped) call(descriptors[index].reader);
    if (!stopped) call(descriptors[index].writer);
  }
}

void EventLoop::Impl::run_timers() {
  if (timers.empty()) return;
  // What is made due meanwhile waits for the next turn.
  const TimePoint until = now();
  while (!stopped && !timers.empty() && timers.begin()->first <= until) {
    Timer::Impl *timer = timers.begin()->second;
    timers.erase(timer->place);
    timer->place = timers.end();
    // Moved out first: the handler may set the timer again, or end it.
    const Handler due = std::exchange(timer->handler, nullptr);
    due();
  }
}

void EventLoop::Impl::run_posted() {
  std::deque<Handler> handlers;
  {
    const std::lock_guard lock(mutex);
    handlers.swap(posted);
  }
  while (!stopped && !handlers.empty()) {
    const Handler handler = std::move(handlers.front());
    handlers.pop_front();
    handler();
  }
  if (handlers.empty()) return;
  const std::lock_guard lock(mutex);
  posted.insert(posted.begin(), std::make_move_iterator(handlers.begin()), std::make_move_iterator(handlers.end()));
}

EventLoop::Watch::Watch() = default;
EventLoop::Watch::Watch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventLoop::Watch::Watch(Watch &&) noexcept = default;
EventLoop::Watch &EventLoop::Watch::operator=(Watch &&) noexcept = default;
EventLoop::Watch::~Watch() = default;

EventLoop::Timer::Timer(EventLoop &loop) : impl_(std::make_unique<Impl>(*loop.impl_)) {}
EventLoop::Timer::Timer(Timer &&) noexcept = default;
EventLoop::Timer &EventLoop::Timer::operator=(Timer &&) noexcept = default;
EventLoop::Timer::~Timer() = default;

void EventLoop::Timer::set(TimePoint at, Handler handler) {
  impl_->cancel();
  impl_->handler = std::move(handler);
  impl_->place = impl_->loop.timers.emplace(at, impl_.get());
}

void EventLoop::Timer::cancel() {
  impl_->cancel();
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

EventLoop::Watch EventLoop::watch(int fd, Ready what, Handler handler) {
  return Watch(std::make_unique<Watch::Impl>(*impl_, fd, what, std::move(handler)));
}

void EventLoop::post(Handler handler) {
  bool asleep = false;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->posted.push_back(std::move(handler));
    asleep = !std::exchange(impl_->awake, true);
  }
  const std::uint64_t one = 1;
  if (asleep && ::write(impl_->wake_up.get(), &one, sizeof one) < 0) errno = 0;  // full: it is on its way
}

void EventLoop::run() {
  while (!impl_->stopped) impl_->turn();
  impl_->stopped = false;  // not before: a stop() that came early counts
}

void EventLoop::stop() {
  impl_->stopped = true;
}

TimePoint EventLoop::now() {
  return std::chrono::steady_clock::now();
}

}  // namespace hostler
