// joblog: what became of every attempt at a slice, in the order of their ends. The first nine columns are those of GNU
// parallel's --joblog, so that what reads that reads this too.
#include <fmt/format.h>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/job_ledger.h"
#include "cli/say.h"
#include "core/plain_text.h"
#include "core/plan.h"
#include "core/slice_range.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

constexpr const char *kColumns =
    "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tSlice\tEnd\tSlices\tAttempt\tWorker\t"
    "Build\tPositions\tVerdict\tReason\n";

void print_line(const Attempt &attempt, const std::string &slice) {
  const SliceRange &range = attempt.range;
  // Workers read their input themselves: nothing is sent to them, nothing received.
  say("{}\t:\t{:.3f}\t{:.3f}\t0\t0\t{}\t{}\thostler replay {}\t{}\t{}-{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", attempt.seq,
      static_cast<double>(attempt.began_at) / 1000, std::chrono::duration<double>(attempt.took).count(), attempt.code,
      attempt.signal, slice, slice, range.last_input, range.end, range.slices, attempt.attempt, attempt.worker,
      attempt.build ? attempt.build->hash.substr(0, 12) : "", range.positions, attempt.verdict,
      in_one_line(attempt.reason));
}

}  // namespace

Outcome<ExitCode> run_joblog(const JoblogCommand &command) {
  auto job = JobLedger::open(state_dir_of(command.address).path, command.job);
  if (!job) return give_up(ExitCode::Failed, job.error());
  if (!command.json) say("{}", kColumns);
  const auto read = job->ledger().for_each_attempt(command.job, [&](const Attempt &attempt) -> Result<void> {
    const std::string slice = command.job + "." + place_name(attempt.range);
    command.json ? write_text(stdout, to_json(AttemptStatus{slice, attempt})) : print_line(attempt, slice);
    return {};
  });
  if (!read) return give_up(ExitCode::Failed, read.error());
  return ExitCode::Fine;
}

}  // namespace hostler
