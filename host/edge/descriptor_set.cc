#include "edge/descriptor_set.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace hostler {
namespace {

constexpr int kMostEvents = 256;                // told in one turn
constexpr std::size_t kMoreDescriptors = 1024;  // room is made for so many at once
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLHUP | EPOLLERR;

}  // namespace

DescriptorSet::Interest::Interest(DescriptorSet &set, int fd, Ready what, std::function<void()> handler)
    : set_(set), fd_(fd), what_(what), handler_(std::move(handler)) {
  if (fd_ >= 0) set_.add(*this);
}

DescriptorSet::Interest::~Interest() {
  if (fd_ >= 0) set_.remove(*this);
}

DescriptorSet::DescriptorSet() : set_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!set_) throw std::system_error(errno, std::generic_category(), "epoll");
}

void DescriptorSet::add(Interest &interest) {
  const auto index = static_cast<std::size_t>(interest.fd_);
  if (descriptors_.size() <= index) {
    if (descriptors_.capacity() <= index) descriptors_.reserve(index + kMoreDescriptors);
    descriptors_.resize(index + 1);
  }
  Descriptor &descriptor = descriptors_[index];
  if (wanted(interest.fd_) == 0) {
    ++descriptor.generation;
    int on = 1;
    ::ioctl(interest.fd_, FIONBIO, &on);
  }
  (interest.what_ == Ready::Read ? descriptor.reader : writers_[interest.fd_]) = &interest;
  sync(interest.fd_);
}

void DescriptorSet::remove(Interest &interest) {
  if (called_ == &interest) called_ = nullptr;
  Interest *&reader = descriptors_[static_cast<std::size_t>(interest.fd_)].reader;
  if (interest.what_ == Ready::Read && reader == &interest)
    reader = nullptr;
  else if (interest.what_ == Ready::Write && writer(interest.fd_) == &interest)
    writers_.erase(interest.fd_);
  else
    return;  // another has taken its place
  sync(interest.fd_);
}

DescriptorSet::Interest *DescriptorSet::writer(int fd) const {
  const auto found = writers_.find(fd);
  return found == writers_.end() ? nullptr : found->second;
}

std::uint32_t DescriptorSet::wanted(int fd) const {
  const bool reads = descriptors_[static_cast<std::size_t>(fd)].reader != nullptr;
  return (reads ? EPOLLIN | EPOLLRDHUP : 0U) | (writers_.contains(fd) ? EPOLLOUT : 0U);
}

// Has the kernel watch what is wanted. A plain close() would leave in the set what a child has inherited: it is always taken
// out by hand.
void DescriptorSet::sync(int fd) {
  Descriptor &descriptor = descriptors_[static_cast<std::size_t>(fd)];
  const std::uint32_t wanted = this->wanted(fd);
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = std::uint64_t{descriptor.generation} << 32U | static_cast<std::uint32_t>(fd);
  const int how = wanted == 0 ? EPOLL_CTL_DEL : descriptor.registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (wanted == descriptor.registered || ::epoll_ctl(set_.get(), how, fd, &event) == 0 || wanted == 0) {
    descriptor.registered = wanted;
    refused_.erase(fd);
  } else {
    refused_.insert(fd);
  }
}

void DescriptorSet::dispatch(const std::function<bool()> &stopped) {
  std::array<epoll_event, kMostEvents> events;
  const int count = ::epoll_wait(set_.get(), events.data(), kMostEvents, 0);
  for (int i = 0; i < count && !stopped(); ++i) {
    const epoll_event &event = events[static_cast<std::size_t>(i)];
    tell(event.data.u64 & 0xffffffffU, static_cast<std::uint32_t>(event.data.u64 >> 32U), event.events);
  }
}

void DescriptorSet::look() {
  for (const int fd : std::set<int>(refused_)) {
    if (!refused_.contains(fd)) continue;  // a handler has ended it
    sync(fd);
    if (!refused_.contains(fd)) continue;
    const Descriptor &descriptor = descriptors_[static_cast<std::size_t>(fd)];
    const std::uint32_t missing = wanted(fd) & ~descriptor.registered;
    // Of poll's events and epoll's, those of the same name are the same.
    pollfd state{fd, static_cast<short>(missing), 0};
    if (::poll(&state, 1, 0) > 0)
      tell(static_cast<std::size_t>(fd), descriptor.generation, static_cast<std::uint32_t>(state.revents));
  }
}

void DescriptorSet::tell(std::size_t fd, std::uint32_t generation, std::uint32_t events) {
  // Looked up each time: a handler may change the table.
  if ((events & kReadable) != 0 && descriptors_[fd].generation == generation) call(descriptors_[fd].reader);
  if ((events & kWritable) != 0 && descriptors_[fd].generation == generation) call(writer(static_cast<int>(fd)));
}

void DescriptorSet::call(Interest *interest) {
  if (interest == nullptr) return;
  // Held here meanwhile: the interest may end in its own handler.
  std::function<void()> handler = std::move(interest->handler_);
  called_ = interest;
  handler();
  if (called_ == interest) interest->handler_ = std::move(handler);
  called_ = nullptr;
}

}  // namespace hostler
