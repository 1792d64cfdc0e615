// The host's control socket: HTTP/1.1 on STATE/hostler.sock, for this user and root. Lives on the EventLoop's thread
// and never blocks it; what the requests mean is the handler's business.
//
// A connection is idle, or reading a request, or waiting for the handler's reply, or writing it; requests of one
// connection are answered in order. Time runs only against a client that is in the middle of sending or taking
// something, so an idle connection and a reply that takes long cost nothing and end nobody.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "core/error.h"
#include "core/time.h"
#include "edge/event_loop.h"
#include "edge/http_codec.h"

namespace hostler {

using ControlRequest = HttpRequest;
using ControlReply = HttpReply;
// Replies now or later, on the loop's thread, once. The client may be gone by then, and the server too: nothing
// happens. A reply function that is dropped without having been called answers 500.
using ControlHandler = std::function<void(ControlRequest, std::function<void(ControlReply)>)>;

struct ControlLimits {
  // Over it the one that has been idle longest is closed; when none is idle, the one that has been sending longest.
  std::size_t connections = 1024;
  Duration transfer_time =
      std::chrono::seconds(30);  // for a request to become whole, and for each part of a reply to be taken
  // Bytes of requests that are not whole and of replies that are not taken. Over it the connection that holds some and
  // has been without activity longest is closed.
  std::size_t memory = std::size_t{64} << 20;
};

class ControlServer {
 public:
  // Replaces the socket that a former host left. The state folder's lock is held by the caller.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> open(EventLoop &loop, const std::string &state_dir,
                                                                   ControlHandler handler, ControlLimits limits = {});
  ~ControlServer();  // closes all connections and removes the socket
  ControlServer(const ControlServer &) = delete;
  ControlServer &operator=(const ControlServer &) = delete;

  [[nodiscard]] std::size_t connections() const;

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostler
