// slices: what state the slices of a job are in, a line for each row of the ledger.
#include <fmt/format.h>

#include <map>
#include <optional>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/job_ledger.h"
#include "cli/say.h"
#include "core/human_text.h"
#include "core/job_tally.h"
#include "core/plain_text.h"
#include "core/slice_range.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

// Who is in which slice at this moment: global position → instance. Empty without a host.
std::map<std::int64_t, std::int32_t> workers_at(const std::string &state_dir, const StoredJob &job) {
  std::map<std::int64_t, std::int32_t> at;
  auto client = ControlClient::connect(state_dir);
  if (!client || !*client) return at;
  const auto host = (*client)->status();
  if (!host) return at;
  for (const auto &entry : host->entries) {
    if (entry.name != job.name) continue;
    for (const auto &worker : entry.workers)
      if (const auto position = position_of(job.manifest, job.name, worker.slice); !worker.slice.empty() && position)
        at[*position] = worker.instance;
  }
  return at;
}

class Slices {
 public:
  Slices(JobLedger &job, const SlicesCommand &command, std::map<std::int64_t, std::int32_t> workers)
      : job_(job), command_(command), workers_(std::move(workers)), gaps_(job.job().manifest) {}

  Result<void> print() {
    const Manifest &plan = job_.job().manifest;
    auto read = job_.ledger().for_each_row(job_.job().name, [&](const SliceRow &row) -> Result<void> {
      if (const auto gap = gaps_.before(row.begin))
        if (auto printed = print(*gap); !printed) return printed;
      gaps_.pass(row);
      return print(row);
    });
    if (!read) return read;
    const auto rest = gaps_.before(plan.positions());
    return rest ? print(*rest) : Result<void>{};
  }
  [[nodiscard]] bool any() const { return any_; }

 private:
  Result<void> print(const SliceRow &row) {
    if (command_.state && row.state != *command_.state) return {};
    SliceStatus slice;
    slice.range = range_of(job_.job().manifest, {row.begin, row.end});
    slice.slice = job_.job().name + "." + place_name(slice.range);
    slice.state = name(row.state);
    slice.attempts = row.attempts;
    slice.put_off = row.temporaries;
    slice.reason = row.reason;
    if (row.checkpoint) {
      const SliceSpan span = job_.job().manifest.slice_from(row.begin);
      slice.checkpoint = span.begin + row.checkpoint->position - row.begin;
    }
    if (!row.plain()) {
      const auto failure = job_.ledger().last_failure(job_.job().name, slice.range);
      if (!failure) return tl::unexpected<Error>(failure.error());
      if (*failure) {
        slice.worker = (*failure)->worker;
        slice.verdict = (*failure)->verdict;
      }
    }
    if (row.state == SliceState::Leased) {
      slice.verdict.clear();
      const auto worker = workers_.lower_bound(row.begin);
      slice.worker = worker != workers_.end() && worker->first < row.end ? worker->second : -1;
    }
    command_.json ? write_text(stdout, to_json(slice)) : print_line(slice);
    any_ = true;
    return {};
  }

  void print_line(const SliceStatus &slice) {
    if (!any_)
      say("{:<28} {:<28} {:>9}  {:<11} {:>8} {:>6}  {}\n", "SLICE", "UP TO", "SLICES", "STATE", "ATTEMPTS", "WORKER",
          "WHY");
    const SliceRange &range = slice.range;
    std::string why = slice.verdict;
    if (!slice.reason.empty()) why += (why.empty() ? "" : ": ") + in_one_line(slice.reason);
    if (slice.put_off > 0) why += fmt::format("{}put off {}", why.empty() ? "" : "; ", counted(slice.put_off, "time"));
    if (slice.checkpoint >= 0) why += fmt::format("{}checkpoint at {}", why.empty() ? "" : "; ", slice.checkpoint);
    std::string line = fmt::format("{:<28} {:<28} {:>9}  {:<11} {:>8} {:>6}  {}", slice.slice,
                                   range.merge ? "" : fmt::format("{}-{}", range.last_input, range.end),
                                   range.merge ? "" : std::to_string(range.slices), slice.state, slice.attempts,
                                   slice.worker < 0 ? "-" : std::to_string(slice.worker), why);
    line.erase(line.find_last_not_of(' ') + 1);
    say("{}\n", line);
  }

  JobLedger &job_;
  const SlicesCommand &command_;
  std::map<std::int64_t, std::int32_t> workers_;
  Gaps gaps_;
  bool any_ = false;
};

}  // namespace

Outcome<ExitCode> run_slices(const SlicesCommand &command) {
  const StateDir state = state_dir_of(command.address);
  auto job = JobLedger::open(state.path, command.job);
  if (!job) return give_up(ExitCode::Failed, job.error());
  Slices slices(*job, command, workers_at(state.path, job->job()));
  if (const auto printed = slices.print(); !printed) return give_up(ExitCode::Failed, printed.error());
  if (!slices.any() && !command.json && command.state)
    warn("no slice of {} is {}\n", command.job, name(*command.state));
  return ExitCode::Fine;
}

}  // namespace hostler
