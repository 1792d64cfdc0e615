// results: what a job's slices, or its merge, have left as their result.
#include <fmt/format.h>

#include <cstdio>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/job_ledger.h"
#include "cli/say.h"
#include "core/human_text.h"
#include "core/job.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

void print_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (!text.empty() && text.back() != '\n') std::fputc('\n', stdout);
}

void print_json(const StoredResult &result) {
  const bool merge = result.place.merge;
  const std::string slice = merge ? "merge" : fmt::format("{}-{}", result.place.input, result.place.begin);
  print_text(
      to_json(ResultStatus{slice, result.place.input, result.place.begin, result.end, std::string(*result.data)}));
}

bool has_ended(const HostStatus &host, const std::string &job) {
  if (host.jobs_ended) return true;
  for (const auto &entry : host.entries)
    if (entry.name == job)
      return entry.stopped || job_state_from_name(entry.state).value_or(JobState::Running) != JobState::Running;
  return true;
}

// As long as there is a host that works on it.
void wait_for_end(const std::string &state_dir, const std::string &job) {
  auto client = ControlClient::connect(state_dir);
  if (!client || !*client) return;
  while (true) {
    const auto host = (*client)->status("/v1/wait?timeout_ms=500");
    if (!host || has_ended(*host, job)) return;
  }
}

// What has been printed is all that there is, or an exit code with words.
Outcome<ExitCode> completeness(const StoredJob &job, const JobProgress &progress) {
  const auto not_whole = [&](ExitCode code, const std::string &how) {
    return give_up(code, fmt::format("{} {}; this is not the whole result", job.name, how));
  };
  const std::string why = job.reason.empty() ? "" : ": " + job.reason;
  switch (job.state) {
    case JobState::Succeeded: return ExitCode::Fine;
    case JobState::Partial: return not_whole(ExitCode::Partial, "is partial" + why);
    case JobState::Failed: return not_whole(ExitCode::Failed, "has failed" + why);
    case JobState::Cancelled: return not_whole(ExitCode::Failed, "was cancelled" + why);
    case JobState::Running: break;
  }
  if (!job.reason.empty()) return not_whole(ExitCode::Failed, "has failed" + why);
  return not_whole(ExitCode::Failed, fmt::format("has not ended: {} of {}", progress.done,
                                                 counted(progress.slices, "slice is done", "slices are done")));
}

Outcome<ExitCode> print_report(JobLedger &job, bool json) {
  const auto report = job.report();
  if (!report) return give_up(ExitCode::Failed, report.error());
  write_text(stdout, json ? to_json(*report) : report_text(*report));
  return ExitCode::Fine;
}

}  // namespace

Outcome<ExitCode> run_results(const ResultsCommand &command) {
  const StateDir state = state_dir_of(command.address);
  if (command.wait) wait_for_end(state.path, command.job);
  // Before the results: what commits meanwhile is no reason to call them whole.
  auto job = JobLedger::open(state.path, command.job);
  if (!job) return give_up(ExitCode::Failed, job.error());
  if (command.report) return print_report(*job, command.json);
  const auto progress = job->progress();
  if (!progress) return give_up(ExitCode::Failed, progress.error());
  const auto merged = job->ledger().merge_result(command.job);
  if (!merged) return give_up(ExitCode::Failed, merged.error());
  if (*merged && !command.json) {
    print_text(**merged);
    return completeness(job->job(), *progress);
  }
  bool any = false;
  const auto read = job->ledger().for_each_result(command.job, [&](const StoredResult &result) -> Result<void> {
    if (!result.data) return {};
    any = true;
    command.json ? print_json(result) : print_text(*result.data);
    return {};
  });
  if (!read) return give_up(ExitCode::Failed, read.error());
  if (!any && !command.json && job->job().state == JobState::Succeeded)
    warn("{} has no results (`hostler run` tells its counters and where its files are)\n", command.job);
  return completeness(job->job(), *progress);
}

}  // namespace hostler
