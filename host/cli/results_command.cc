// results: what a job's slices, or its merge, have left as their result.
#include <fmt/format.h>

#include <cstdio>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/job_results.h"
#include "cli/say.h"
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

}  // namespace

Outcome<ExitCode> run_results(const ResultsCommand &command) {
  const StateDir state = state_dir_of(command.address);
  const auto merged = merge_result(state.path, command.job);
  if (!merged) return give_up(ExitCode::Failed, merged.error());
  if (*merged && !command.json) {
    print_text(**merged);
    return ExitCode::Fine;
  }
  bool any = false;
  const auto read = for_each_result(state.path, command.job, [&](const StoredResult &result) {
    if (!result.data) return;
    any = true;
    command.json ? print_json(result) : print_text(*result.data);
  });
  if (!read) return give_up(ExitCode::Failed, read.error());
  if (!any && !command.json)
    warn("{} has no results (`hostler run` tells its counters and where its files are)\n", command.job);
  return ExitCode::Fine;
}

}  // namespace hostler
