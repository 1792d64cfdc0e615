// Commands that ask a running host: down, status, reload, start, stop, restart, scale, pause, resume, cancel, retry.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/say.h"
#include "core/status_text.h"
#include "edge/pidfd.h"
#include "edge/pidfile.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

constexpr Duration kBetweenTries = std::chrono::milliseconds(50);
constexpr Duration kLastMoment = std::chrono::seconds(1);

// The host that owns a state folder, until it is gone: told by its lock, as its number may be somebody else's here where it
// has a PID namespace of its own.
class Owner {
 public:
  Owner(std::string state_dir, pid_t pid) : state_dir_(std::move(state_dir)), pid_(pid), pidfd_(open_pidfd(pid)) {}

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool is_gone() const {
    const auto owner = owner_of(state_dir_);
    return owner && *owner != pid_;
  }
  // Waits, at most for so long.
  bool is_gone_within(Duration time) {
    if (pidfd_ && wait_for_death(pidfd_, time)) pidfd_.reset();
    if (!pidfd_ && !is_gone())
      ::poll(nullptr, 0, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()));
    return is_gone();
  }
  // Its lock goes a moment before it does. Whoever has its number here may be somebody else, and live on.
  void await_last_moment() const {
    if (pidfd_) (void)wait_for_death(pidfd_, kLastMoment);
  }

 private:
  std::string state_dir_;
  pid_t pid_;
  UniqueFd pidfd_;  // to be woken by
};

// Resident memory of each worker that is shown, from /proc: the host has better things to do.
std::map<std::int32_t, std::int64_t> resident_memory(const HostStatus &host) {
  std::map<std::int32_t, std::int64_t> resident;
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  for (const auto &entry : host.entries) {
    for (const auto &worker : entry.workers) {
      std::ifstream statm(fmt::format("/proc/{}/statm", worker.pid));
      std::int64_t total = 0;
      std::int64_t pages = 0;
      if (worker.pid > 0 && statm >> total >> pages) resident[worker.pid] = pages * page;
    }
  }
  return resident;
}

// What the jobs wait for stands in the way of what an operator asks, too: it is told, once each, over a connection of its
// own.
Result<HttpReply> ask_and_tell(Connection &connection, const std::string &path, const std::string &body) {
  std::string told;
  return connection.client.ask("POST", path, body, [&] {
    auto other = ControlClient::connect(connection.state_dir);
    if (!other || !*other) return;
    const auto status = (*other)->status("/v1/status?workers=shown");
    if (!status || status->waits_for == told) return;
    told = status->waits_for;
    warn("hostler: {}\n", told.empty() ? "what it waited for has passed" : "waits: " + told);
  });
}

}  // namespace

Outcome<ExitCode> run_down(const Address &address) {
  const StateDir state = state_dir_of(address);
  const auto pid = owner_of(state.path);
  if (!pid) return give_up(ExitCode::Failed, pid.error());
  if (!*pid) return tl::unexpected<Failure>(not_running(state));
  Owner host(state.path, **pid);
  // A host that is just starting listens soon; one that is stopping does not, and is only waited for.
  for (bool asked = false; !asked && !host.is_gone();) {
    auto connection = connect(address);
    if (connection) {
      asked = connection->client.ask("POST", "/v1/down").has_value();
    } else if (!host.is_gone_within(kBetweenTries) && !connection.error().may_pass) {
      return tl::unexpected<Failure>(connection.error());
    }
  }
  while (!host.is_gone_within(kBetweenTries)) continue;
  host.await_last_moment();
  say("hostler is down (pid {})\n", host.pid());
  return ExitCode::Fine;
}

Outcome<ExitCode> run_status(const Address &address, bool json) {
  auto connection = connect(address);
  if (!connection) return tl::unexpected<Failure>(connection.error());
  const auto text = json ? connection->client.get("/v1/status?layout=pretty")
                         : connection->client.status("/v1/status?workers=shown").map([](const HostStatus &status) {
                             return status_text(status, resident_memory(status));
                           });
  if (!text) return give_up(ExitCode::Failed, text.error());
  std::fwrite(text->data(), 1, text->size(), stdout);
  return ExitCode::Fine;
}

Outcome<ExitCode> run_reload(const ReloadCommand &command) {
  auto connection = connect(command.address);
  if (!connection) return tl::unexpected<Failure>(connection.error());
  const auto reply = ask_and_tell(*connection, "/v1/reload", to_json(ReloadOptions{command.fresh, command.resume}));
  if (!reply) return give_up(ExitCode::Failed, reply.error());
  const auto answer = reload_reply_from_json(reply->body);
  if (!answer) return give_up(ExitCode::Failed, answer.error());
  if (!answer->ok || reply->status != 200) {
    const bool invalid = reply->status == 422;
    return give_up(invalid ? ExitCode::InvalidConfig : ExitCode::Failed, "nothing was changed: " + answer->error);
  }
  for (const auto &line : answer->text) say("{}\n", line);
  if (answer->text.empty()) say("nothing to change\n");
  return ExitCode::Fine;
}

Outcome<ExitCode> run_on_entries(const EntriesCommand &command) {
  auto connection = connect(command.address);
  if (!connection && connection.error().code == ExitCode::NotRunning && command.command.verb == OperatorVerb::Retry)
    return retry_without_host(state_dir_of(command.address).path, command.command);
  if (!connection) return tl::unexpected<Failure>(connection.error());
  const std::string path = fmt::format("/v1/{}", name(command.command.verb));
  const auto reply = ask_and_tell(*connection, path, to_json(command.command));
  if (!reply) return give_up(ExitCode::Failed, reply.error());
  const auto answer = reload_reply_from_json(reply->body);
  if (!answer) return give_up(ExitCode::Failed, answer.error());
  if (reply->status != 200)
    return give_up(reply->status == 422 ? ExitCode::InvalidConfig : ExitCode::Failed,
                   "nothing was changed: " + answer->error);
  for (const auto &line : answer->text) say("{}\n", line);
  if (answer->text.empty()) say("nothing to do\n");
  return answer->ok ? ExitCode::Fine : ExitCode::Failed;
}

}  // namespace hostler
