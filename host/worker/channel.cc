#include "worker/channel.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <hostler/plugin.h>

namespace hostler {

Channel::Received Channel::receive(HostMessage &message) {
  if (later_.empty()) return read(message);
  message = std::move(later_.front());
  later_.pop_front();
  return Received::Message;
}

std::int32_t Channel::await_answer(std::uint64_t lease, std::int64_t position) {
  HostMessage message;
  while (true) {
    switch (read(message)) {
      case Received::EndOfFile: ::_exit(HOSTLER_ERROR);
      case Received::Interrupted: continue;
      case Received::Message: break;
    }
    const auto *answer = std::get_if<Checkpointed>(&message);
    if (answer != nullptr && answer->lease == lease && answer->position == position) return answer->error;
    if (answer == nullptr) later_.push_back(std::move(message));
  }
}

Channel::Received Channel::read(HostMessage &message) {
  while (true) {
    const auto frame = reader_.next();
    if (!frame) return Received::EndOfFile;
    if (!frame->empty()) {
      auto decoded = decode_host_message(*frame);
      if (!decoded) return Received::EndOfFile;
      message = std::move(*decoded);
      return Received::Message;
    }
    std::array<char, 1024> bytes;  // small, as every page of the stack that a worker touches costs it
    const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (size < 0 && errno == EINTR) return Received::Interrupted;
    if (size <= 0) return Received::EndOfFile;
    reader_.append({bytes.data(), static_cast<std::size_t>(size)});
  }
}

bool Channel::send(const WorkerMessage &message) {
  const std::string frame = encode(message);
  const std::lock_guard lock(sending_);
  std::size_t sent = 0;
  while (sent < frame.size()) {
    const ssize_t size = ::send(fd_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    sent += static_cast<std::size_t>(size);
  }
  return true;
}

Unheard why_unheard(int error) {
  const bool closed = error == EBADF || error == ENOTSOCK;
  return {closed, closed ? "the plugin has closed hostler's descriptor" : "the worker could not reach the host"};
}

}  // namespace hostler
