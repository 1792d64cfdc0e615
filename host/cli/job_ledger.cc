#include "cli/job_ledger.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <utility>

namespace hostler {

tl::unexpected<Error> no_such_job(Ledger &ledger, const std::string &state_dir, const std::string &job) {
  const auto names = ledger.job_names();
  const bool some = names && !names->empty();
  return fail(state_dir, "no job " + job + " has been run here",
              some ? fmt::format("there are: {}", fmt::join(*names, ", ")) : "");
}

Result<JobLedger> JobLedger::open(const std::string &state_dir, const std::string &job) {
  const std::string path = state_dir + "/ledger.sqlite";
  if (::access(path.c_str(), F_OK) != 0) return fail(state_dir, "no job has been run with this state folder");
  auto ledger = Ledger::open_read_only(path);
  if (!ledger) return tl::unexpected<Error>(ledger.error());
  auto known = ledger->load_plan(job);
  if (!known) return tl::unexpected<Error>(known.error());
  if (!*known) return no_such_job(*ledger, state_dir, job);
  return JobLedger(std::move(*ledger), std::move(**known));
}

Result<JobProgress> JobLedger::progress() {
  JobTally tally(job_.manifest);
  const auto read = ledger_.for_each_row(job_.name, [&](const SliceRow &row) -> Result<void> {
    tally.add(row);
    return {};
  });
  if (!read) return tl::unexpected<Error>(read.error());
  return tally.progress();
}

Result<JobReport> JobLedger::report() {
  JobReporter reporter(job_);
  auto read = ledger_.for_each_row(job_.name, [&](const SliceRow &row) -> Result<void> {
    reporter.add(row);
    return {};
  });
  if (read)
    read = ledger_.for_each_attempt(job_.name, [&](const Attempt &attempt) -> Result<void> {
      reporter.add(attempt);
      return {};
    });
  if (!read) return tl::unexpected<Error>(read.error());
  return reporter.report();
}

}  // namespace hostler
