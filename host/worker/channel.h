// The worker's end of its channel to the host (core/messages.h): blocking. One thread receives; any thread sends.
#pragma once

#include <mutex>
#include <optional>

#include "core/messages.h"

namespace hostler {

class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}

  enum class Received { Message, EndOfFile, Interrupted };
  // Waits for the next message. Interrupted: by a signal's handler. What cannot be read counts as the end.
  [[nodiscard]] Received receive(HostMessage &message);

  // False: the host cannot be told any more.
  [[nodiscard]] bool send(const WorkerMessage &message);

 private:
  int fd_;
  FrameReader reader_;
  std::mutex sending_;
};

}  // namespace hostler
