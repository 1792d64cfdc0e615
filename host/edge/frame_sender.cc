#include "edge/frame_sender.h"

#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace hostler {
namespace {

// Until the kernel may have memory again for what is to be sent.
constexpr Duration kBetweenSends = std::chrono::milliseconds(20);

}  // namespace

void FrameSender::send(std::string frame) {
  if (waiting_.empty()) {
    waiting_ = std::move(frame);
  } else {
    waiting_ += frame;
  }
  flush();
}

void FrameSender::flush() {
  while (sent_ < waiting_.size()) {
    const std::string_view rest = std::string_view(waiting_).substr(sent_);
    const ssize_t size = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) break;
    if (size < 0 && errno != EPIPE && errno != ECONNRESET) return flush_later();
    sent_ = size < 0 ? waiting_.size() : sent_ + static_cast<std::size_t>(size);
  }
  if (sent_ == waiting_.size()) {
    std::string().swap(waiting_);  // with its memory, which an assignment would keep: most are told something once
    sent_ = 0;
  }
  const bool wanted = !waiting_.empty();
  if (wanted && !watched_) writable_ = loop_.watch(socket_, EventLoop::Ready::Write, [this] { flush(); });
  if (!wanted) writable_ = {};
  watched_ = wanted;
}

void FrameSender::flush_later() {
  writable_ = {};
  watched_ = false;
  if (!again_) again_ = std::make_unique<EventLoop::Timer>(loop_);
  again_->set(EventLoop::now() + kBetweenSends, [this] { flush(); });
}

}  // namespace hostler
