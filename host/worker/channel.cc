#include "worker/channel.h"

#include <sys/socket.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace hostler {

Channel::Received Channel::receive(HostMessage &message) {
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

}  // namespace hostler
