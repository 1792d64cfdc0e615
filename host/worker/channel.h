// The worker's end of its channel to the host (core/messages.h): blocking. One thread receives; any thread sends.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string_view>

#include "core/messages.h"

namespace hostler {

class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}

  enum class Received { Message, EndOfFile, Interrupted };
  // Waits for the next message. Interrupted: by a signal's handler. What cannot be read counts as the end.
  [[nodiscard]] Received receive(HostMessage &message);

  // Waits for the answer to the segment that was told of, its errno or 0. What else comes meanwhile is received later. A
  // host that is gone gives no answer, and then there is nobody to go on for: the process ends.
  [[nodiscard]] std::int32_t await_answer(std::uint64_t lease, std::int64_t position);

  // False: the host cannot be told any more, and errno says why.
  [[nodiscard]] bool send(const WorkerMessage &message);

 private:
  [[nodiscard]] Received read(HostMessage &message);

  int fd_;
  std::deque<HostMessage> later_;  // came while an answer was awaited
  FrameReader reader_;
  std::mutex sending_;
};

// Why send() has failed, in words. By the plugin: its fault, which it will have again.
struct Unheard {
  bool by_plugin = false;
  std::string_view words;
};
[[nodiscard]] Unheard why_unheard(int error);

}  // namespace hostler
