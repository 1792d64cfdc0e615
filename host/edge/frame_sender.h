// Frames on their way through a socket to a worker, as fast as it takes them: what the kernel does not take at once waits
// here. The loop's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "edge/event_loop.h"

namespace hostler {

class FrameSender {
 public:
  // The socket stays the caller's, who keeps it open as long as this lives.
  FrameSender(EventLoop &loop, int socket) : loop_(loop), socket_(socket) {}
  FrameSender(const FrameSender &) = delete;
  FrameSender &operator=(const FrameSender &) = delete;

  // Of one whose reader has gone nothing is heard: its death is on the way.
  void send(std::string frame);

 private:
  void flush();
  void flush_later();

  EventLoop &loop_;
  int socket_;
  bool watched_ = false;
  std::string waiting_;
  std::size_t sent_ = 0;  // of `waiting_`
  EventLoop::Watch writable_;
  std::unique_ptr<EventLoop::Timer> again_;  // made when the kernel could not take something
};

}  // namespace hostler
