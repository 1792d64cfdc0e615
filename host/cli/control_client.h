// The other end of the control socket: asks the host and waits for the answer. Blocking; one connection, asked many times.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/status.h"
#include "edge/http_codec.h"
#include "edge/unique_fd.h"

namespace hostler {

class ControlClient {
 public:
  // Nothing when no host listens in this state folder.
  [[nodiscard]] static Result<std::optional<ControlClient>> connect(const std::string &state_dir);

  // `target` is path and query. Any HTTP status is an answer; an error: there is none, the host is gone.
  [[nodiscard]] Result<HttpReply> ask(std::string_view method, std::string_view target, std::string_view body = {});
  // The same, for what may take long: `waiting` is called every second until the answer comes.
  [[nodiscard]] Result<HttpReply> ask(std::string_view method, std::string_view target, std::string_view body,
                                      const std::function<void()> &waiting);
  // The text of what was asked for, or the host's own error.
  [[nodiscard]] Result<std::string> get(std::string_view target);
  [[nodiscard]] Result<HostStatus> status(std::string_view target = "/v1/status");

  // status() in two steps, for who has something else to look at meanwhile: the answer comes when fd() is readable.
  [[nodiscard]] Result<void> ask_for_status(std::string_view target);
  [[nodiscard]] Result<HostStatus> take_status();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] Result<HttpReply> receive();
  [[nodiscard]] Result<std::string> receive_text(std::string_view target);
  explicit ControlClient(UniqueFd connected) : fd_(std::move(connected)) {}
  UniqueFd fd_;
};

}  // namespace hostler
