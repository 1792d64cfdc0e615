// The host: all parts put together and run on this thread until it is told to stop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"

namespace hostler {

struct HostOptions {
  std::string config;               // path of workers.yaml
  bool echo_log = false;            // the host's log goes to stderr as well
  std::vector<std::string> fresh;   // --fresh NAME
  std::vector<std::string> resume;  // --resume NAME
};

// Exit codes of the command line.
enum class ExitCode : int {
  Fine = 0,
  Failed = 1,
  Usage = 2,
  NotRunning = 3,
  InvalidConfig = 4,
  Partial = 5,
  Interrupted = 6,
};

// Of an error in reading and preparing a configuration: it is the file's, unless it may pass.
[[nodiscard]] inline ExitCode exit_code_of_config(const Error &error) {
  return error.may_pass ? ExitCode::Failed : ExitCode::InvalidConfig;
}

// What the start came to: the code, and the error in words, or "(pid 12): 6 workers of 2 entries".
using StartReport = std::function<void(ExitCode, const std::string &)>;

// Blocks until the host has stopped. `report` is called once, when the host is ready or why it is not.
ExitCode run_host(const HostOptions &options, const StartReport &report);

}  // namespace hostler
