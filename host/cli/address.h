// From what the user said to the host that is meant.
#pragma once

#include <string>

#include "cli/command.h"
#include "cli/control_client.h"

namespace hostler {

// Absolute, without following links: the daemon starts in another folder.
[[nodiscard]] std::string absolute_path(const std::string &path);

struct StateDir {
  std::string path;
  // Why the configuration could not be asked, and `path` is only where it would be by default; or empty.
  std::string guessed_because;
};

// --state, or what the configuration says, or, if that is missing or broken, the folder "state" beside it.
[[nodiscard]] StateDir state_dir_of(const Address &address);

struct Connection {
  ControlClient client;
  std::string state_dir;
};

// A guessed state folder counts only when its host runs this very configuration.
[[nodiscard]] Outcome<Connection> connect(const Address &address);

[[nodiscard]] Failure not_running(const StateDir &state);

}  // namespace hostler
