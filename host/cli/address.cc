#include "cli/address.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "edge/config_yaml.h"
#include "edge/pidfile.h"

namespace hostler {
namespace {

bool same_file(const std::string &a, const std::string &b) {
  struct stat first {};
  struct stat second {};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace

std::string absolute_path(const std::string &path) {
  std::error_code ignored;  // a working folder that is gone: the path stays relative, and whoever opens it says so
  const auto absolute = std::filesystem::absolute(path, ignored);
  return ignored ? path : absolute.lexically_normal().string();
}

StateDir state_dir_of(const Address &address) {
  if (!address.state.empty()) return {absolute_path(address.state), ""};
  auto state = read_state_folder(address.config);
  if (state) return {std::move(*state), ""};
  const auto folder = std::filesystem::path(absolute_path(address.config)).parent_path();
  return {(folder / "state").string(), state.error().text()};
}

Failure not_running(const StateDir &state) {
  if (!state.guessed_because.empty())
    return {ExitCode::NotRunning,
            fmt::format(
                "no host is running with the state folder {}; another one may be meant, but {}; --state DIR names it",
                state.path, state.guessed_because)};
  return {ExitCode::NotRunning,
          fmt::format("no host is running with the state folder {} (start one with `hostler up`)", state.path)};
}

Outcome<Connection> connect(const Address &address) {
  const StateDir state = state_dir_of(address);
  auto client = ControlClient::connect(state.path);
  if (!client) return give_up(ExitCode::Failed, client.error());
  if (!*client) {
    const auto owner = owner_of(state.path);
    if (owner && *owner)
      return give_up(ExitCode::Failed,
                     fmt::format("the host with the state folder {} (pid {}) does not listen: it is just "
                                 "starting, or stopping",
                                 state.path, **owner),
                     true);
    return tl::unexpected<Failure>(not_running(state));
  }
  if (!state.guessed_because.empty()) {
    const auto status = (*client)->status();
    const bool ours = status && (status->config == absolute_path(address.config) ||  // which may be gone by now
                                 same_file(status->config, address.config));
    if (!ours) return tl::unexpected<Failure>(not_running(state));
  }
  return Connection{std::move(**client), state.path};
}

}  // namespace hostler
