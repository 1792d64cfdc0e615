// run: a host of its own until every job has ended, with progress on the way and results at the end.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/job_ledger.h"
#include "cli/progress_display.h"
#include "cli/say.h"
#include "cli/stop_signals.h"
#include "core/exit_status.h"
#include "core/job.h"
#include "core/output_layout.h"
#include "core/progress_text.h"
#include "edge/config_yaml.h"
#include "edge/daemonize.h"
#include "edge/init_process.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

// How often progress is looked at. The end of the jobs is told at once.
constexpr int kTerminalPauseMs = 200;
constexpr int kPlainPauseMs = 1000;

Result<StartedChild> start_host(const StartOptions &options, const StopSignals &signals) {
  HostOptions host;
  host.config = absolute_path(options.config);
  host.fresh = options.fresh;
  host.resume = options.resume;
  return start_child(
      [&](const auto &report) {
        return static_cast<int>(
            run_host(host, [&](ExitCode code, const std::string &text) { report(static_cast<int>(code), text); }));
      },
      signals.fd());
}

// False when a signal has arrived first, which is left to be taken.
bool wait_for_answer(const ControlClient &client, const StopSignals &signals) {
  std::array<pollfd, 2> events = {{{client.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
  while (::poll(events.data(), events.size(), -1) < 0) continue;
  return events[1].revents == 0;
}

// Shows progress until all jobs have ended or somebody interrupts; then nothing. An error: the host is gone.
Result<std::optional<HostStatus>> follow(ControlClient &client, const StopSignals &signals, ProgressDisplay &display) {
  const std::string target =
      fmt::format("/v1/wait?timeout_ms={}", display.is_terminal() ? kTerminalPauseMs : kPlainPauseMs);
  for (;;) {
    if (auto asked = client.ask_for_status(target); !asked) return tl::unexpected<Error>(asked.error());
    if (!wait_for_answer(client, signals)) return std::nullopt;
    auto status = client.take_status();
    if (!status) return tl::unexpected<Error>(status.error());
    if (status->jobs_ended) return std::move(*status);
    display.show(*status);
  }
}

// Asks the host to end, and waits. Who is impatient (another signal) gets an end without grace.
void take_down(const StartedChild &host, StopSignals &signals, int signal) {
  send_signal(host.pidfd, signal);
  for (;;) {
    std::array<pollfd, 2> events = {{{host.pidfd.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
    if (::poll(events.data(), events.size(), -1) < 0) continue;
    if (events[0].revents != 0) return;
    if (signals.arrived() != 0) send_signal(host.pidfd, SIGQUIT);
  }
}

// Somebody wants it to end: gracefully, unless the signal is QUIT.
void take_down_interrupted(const StartedChild &host, StopSignals &signals) {
  const bool at_once = signals.arrived() == SIGQUIT;
  warn("interrupted, {}\n", at_once ? "stopping at once" : "stopping; once more to stop at once");
  take_down(host, signals, at_once ? SIGQUIT : SIGTERM);
}

ExitCode exit_code_of(const EntryStatus &job) {
  if (job.stopped) return ExitCode::Interrupted;
  const auto state = job_state_from_name(job.state);
  if (!state) return ExitCode::Failed;
  switch (*state) {
    case JobState::Succeeded: return ExitCode::Fine;
    case JobState::Partial: return ExitCode::Partial;
    case JobState::Running:
    case JobState::Failed:
    case JobState::Cancelled: return ExitCode::Failed;
  }
  return ExitCode::Failed;
}

ExitCode worse(ExitCode a, ExitCode b) {
  if (a == ExitCode::Failed || b == ExitCode::Failed) return ExitCode::Failed;
  return std::max(a, b);
}

void print_counters(const EntryStatus &job) {
  std::string words;
  for (const auto &[name, total] : job.counters)
    words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name, total);
  if (!words.empty()) say("counters: {}\n", words);
}

// How it went, without what the verdict's line and the counters have said already.
void print_report(JobLedger &job) {
  auto report = job.report();
  if (!report) return;
  report->counters.clear();
  const std::string text = report_text(*report);
  write_text(stdout, text.substr(text.find('\n') + 1));
}

void print_end(const EntryStatus &job, const std::string &state_dir) {
  say("{}\n", verdict_line(job));
  auto ledger = JobLedger::open(state_dir, job.name);
  if (!ledger) {
    say("  its result cannot be read: {}\n", ledger.error().text());
    return;
  }
  print_report(*ledger);
  if (exit_code_of(job) == ExitCode::Failed || job.stopped) return;  // there is no whole result
  const auto result = ledger->ledger().merge_result(job.name);
  if (!result) say("  its result cannot be read: {}\n", result.error().text());
  if (result && *result) say("{}{}", **result, (*result)->ends_with('\n') ? "" : "\n");
  print_counters(job);
  std::error_code ignored;  // the manifest tells a job that has left files
  if (std::filesystem::exists(fmt::format("{}/{}", job.output, kOutputManifest), ignored))
    say("output: {}\n", job.output);
}

ExitCode report(const HostStatus &host) {
  ExitCode code = ExitCode::Fine;
  for (const auto &entry : host.entries) {
    if (entry.kind != "job") continue;
    print_end(entry, host.state_dir);
    code = worse(code, exit_code_of(entry));
  }
  return code;
}

// How jobs that were begun before go on otherwise: what stands behind the reply's first line.
void tell_of_begun_work(const std::string &reply) {
  if (const std::size_t end = reply.find('\n'); end != std::string::npos) say("{}\n", reply.substr(end + 1));
}

// The host ended without having been asked to by us: somebody else has stopped it, or it died.
Failure unexpected_end(const StartedChild &host, const std::string &state_dir) {
  while (!wait_for_death(host.pidfd, std::chrono::hours(1))) continue;
  const auto status = reap(host.pidfd);
  if (status == WaitStatus{})
    return {
        ExitCode::Interrupted,
        "somebody stopped the host before the jobs had ended: what is done is kept, `hostler run` goes on from there"};
  return {ExitCode::Failed, fmt::format("the host has ended before the jobs had ({}); see {}/host.log",
                                        status ? words(*status) : "nobody knows how", state_dir)};
}

}  // namespace

Outcome<ExitCode> run_jobs(const StartOptions &options) {
  const auto config = read_config(options.config);
  if (!config) return give_up(exit_code_of_config(config.error()), config.error());
  if (std::none_of(config->entries.begin(), config->entries.end(), [](const auto &entry) { return entry.is_job(); }))
    return give_up(ExitCode::Failed, fmt::format("{}: no entry has an input, so there is nothing to run to an end "
                                                 "(`hostler up` keeps services running)",
                                                 options.config));
  if (auto left = leave_init_behind(); !left) return give_up(ExitCode::Failed, left.error());
  auto signals = StopSignals::take();
  if (!signals) return give_up(ExitCode::Failed, signals.error());
  const auto host = start_host(options, *signals);
  if (!host) return give_up(ExitCode::Failed, host.error());
  if (!host->reply) {
    take_down_interrupted(*host, *signals);
    return give_up(ExitCode::Interrupted, "interrupted while the host was starting: no job has been begun by it");
  }
  if (host->reply->code != 0) return give_up(static_cast<ExitCode>(host->reply->code), host->reply->text);
  tell_of_begun_work(host->reply->text);
  auto client = ControlClient::connect(config->host.state);
  if (!client || !*client) return tl::unexpected<Failure>(unexpected_end(*host, config->host.state));

  ::signal(SIGPIPE, SIG_IGN);  // nobody reads the progress any more: no reason to give up the job
  ProgressDisplay display;
  const auto ended = follow(**client, *signals, display);
  if (!ended) {
    display.clear();
    return tl::unexpected<Failure>(unexpected_end(*host, config->host.state));
  }
  if (*ended) {
    take_down(*host, *signals, SIGTERM);
    display.clear();
    return report(**ended);
  }
  display.clear();
  take_down_interrupted(*host, *signals);
  warn("interrupted: what is done is kept, `hostler run` goes on from there\n");
  return ExitCode::Interrupted;
}

}  // namespace hostler
