// What the commands of the command line have in common: whom they talk to, and how they fail.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "core/error.h"
#include "core/operator_command.h"
#include "core/slice_table.h"
#include "daemon/host_process.h"

namespace hostler {

// A command that cannot be carried out: the exit code, and the words for standard error.
struct Failure {
  ExitCode code = ExitCode::Failed;
  std::string text;
  bool may_pass = false;  // it may go better a moment later
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> give_up(ExitCode code, std::string text, bool may_pass = false) {
  return tl::unexpected<Failure>(Failure{code, std::move(text), may_pass});
}
inline tl::unexpected<Failure> give_up(ExitCode code, const Error &error) {
  return give_up(code, error.text(), error.may_pass);
}

// Which host: the one of a state folder, or of a configuration.
struct Address {
  std::string config = "workers.yaml";
  std::string state;  // --state, or empty
};

// How a host is to start, or to reload.
struct StartOptions {
  std::string config = "workers.yaml";
  bool foreground = false;
  std::vector<std::string> fresh;
  std::vector<std::string> resume;
};

struct ReloadCommand {
  Address address;
  std::vector<std::string> fresh;
  std::vector<std::string> resume;
};

struct EntriesCommand {
  Address address;
  OperatorCommand command;
};

struct LogsCommand {
  Address address;
  std::string name;  // "ENTRY", "ENTRY/INSTANCE", or empty: all
  bool follow = false;
};

struct ResultsCommand {
  Address address;
  std::string job;
  bool wait = false;    // for the end of the job, as long as a host runs it
  bool report = false;  // instead of the results: how it went
  bool json = false;
};

struct SlicesCommand {
  Address address;
  std::string job;
  std::optional<SliceState> state;  // only those in it
  bool json = false;
};

struct FailedCommand {
  Address address;
  std::string job;
  bool lines = false;  // say in which line of its file a record is
  bool json = false;
};

struct ReplayCommand {
  Address address;
  std::string slice;  // "NAME.INPUT-BEGIN"
  bool debug = false;
};

struct JoblogCommand {
  Address address;
  std::string job;
  bool json = false;
};

[[nodiscard]] Outcome<ExitCode> run_up(const StartOptions &options);
[[nodiscard]] Outcome<ExitCode> run_down(const Address &address);
[[nodiscard]] Outcome<ExitCode> run_jobs(const StartOptions &options);
[[nodiscard]] Outcome<ExitCode> run_check(const std::string &file);
[[nodiscard]] Outcome<ExitCode> run_status(const Address &address, bool json);
[[nodiscard]] Outcome<ExitCode> run_reload(const ReloadCommand &command);
[[nodiscard]] Outcome<ExitCode> run_on_entries(const EntriesCommand &command);
[[nodiscard]] Outcome<ExitCode> run_logs(const LogsCommand &command);
[[nodiscard]] Outcome<ExitCode> run_plugins(const std::string &file, bool json);
[[nodiscard]] Outcome<ExitCode> run_results(const ResultsCommand &command);
[[nodiscard]] Outcome<ExitCode> run_slices(const SlicesCommand &command);
[[nodiscard]] Outcome<ExitCode> run_failed(const FailedCommand &command);
[[nodiscard]] Outcome<ExitCode> run_joblog(const JoblogCommand &command);
[[nodiscard]] Outcome<ExitCode> run_replay(const ReplayCommand &command);
// For a state folder that no host has.
[[nodiscard]] Outcome<ExitCode> retry_without_host(const std::string &state_dir, const OperatorCommand &command);

}  // namespace hostler
