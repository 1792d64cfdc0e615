#include "cli/control_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "edge/control_socket.h"
#include "edge/disk_error.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;
constexpr int kWaitingEveryMs = 1000;

tl::unexpected<Error> connection_lost() {
  return fail("", "the host does not answer: " + error_words(errno));
}

Result<void> send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return connection_lost();
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Result<std::optional<ControlClient>> ControlClient::connect(const std::string &state_dir) {
  const auto dir = open_state_dir(state_dir);
  if (!dir && dir.error().may_pass) return tl::unexpected(dir.error());
  if (!dir) return std::nullopt;
  auto socket = connect_in(dir->get());
  if (!socket) return fail(state_dir + "/" + socket.error().where, socket.error().what, socket.error().hint);
  if (!*socket) return std::nullopt;
  return ControlClient(std::move(*socket));
}

Result<HttpReply> ControlClient::ask(std::string_view method, std::string_view target, std::string_view body) {
  if (auto sent = send_all(fd_.get(), serialize_request(method, target, body)); !sent)
    return tl::unexpected<Error>(sent.error());
  return receive();
}

Result<HttpReply> ControlClient::ask(std::string_view method, std::string_view target, std::string_view body,
                                     const std::function<void()> &waiting) {
  if (auto sent = send_all(fd_.get(), serialize_request(method, target, body)); !sent)
    return tl::unexpected<Error>(sent.error());
  for (pollfd answer{fd_.get(), POLLIN, 0}; ::poll(&answer, 1, kWaitingEveryMs) <= 0;) waiting();
  return receive();
}

Result<HttpReply> ControlClient::receive() {
  HttpReplyReader reader;
  std::array<char, kReadAtOnce> buffer;
  for (;;) {
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return connection_lost();
    auto reply = reader.feed({buffer.data(), static_cast<std::size_t>(count)});
    if (!reply) return tl::unexpected<Error>(reply.error());
    if (*reply) return std::move(**reply);
  }
}

Result<std::string> ControlClient::get(std::string_view target) {
  if (auto sent = send_all(fd_.get(), serialize_request("GET", target, {})); !sent)
    return tl::unexpected<Error>(sent.error());
  return receive_text(target);
}

Result<std::string> ControlClient::receive_text(std::string_view target) {
  auto reply = receive();
  if (!reply) return tl::unexpected<Error>(reply.error());
  if (reply->status == 200) return std::move(reply->body);
  const auto error = error_from_json(reply->body);
  return tl::unexpected<Error>(
      error && !error->what.empty() ? *error : Error{"", "the host refuses " + std::string(target), ""});
}

Result<HostStatus> ControlClient::status(std::string_view target) {
  if (auto asked = ask_for_status(target); !asked) return tl::unexpected<Error>(asked.error());
  return take_status();
}

Result<void> ControlClient::ask_for_status(std::string_view target) {
  return send_all(fd_.get(), serialize_request("GET", target, {}));
}

Result<HostStatus> ControlClient::take_status() {
  const auto text = receive_text("to tell its status");
  if (!text) return tl::unexpected<Error>(text.error());
  return status_from_json(*text);
}

}  // namespace hostler
