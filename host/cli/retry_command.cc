// retry: what a job has given up is tried again; by the host, or without one on the ledger, under the lock.
#include <fmt/format.h>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/control_client.h"
#include "cli/job_ledger.h"
#include "cli/say.h"
#include "core/human_text.h"
#include "core/slice_range.h"
#include "edge/fleet_lock.h"
#include "edge/job_disk.h"
#include "edge/pidfile.h"

namespace hostler {
namespace {

// The batch that makes it so, and how many slices that are.
Result<std::int64_t> retry_in(const StoredJob &stored, const std::vector<std::string> &slices, StoreBatch &batch) {
  if (stored.state == JobState::Cancelled)
    return fail(stored.name, "was cancelled", "--resume " + stored.name + " goes on with what is not done");
  std::vector<std::int64_t> positions;
  for (const std::string &slice : slices) {
    const auto position = position_of(stored.manifest, stored.name, slice);
    if (!position) return tl::unexpected<Error>(position.error());
    positions.push_back(*position);
  }
  JobSettings settings;
  settings.has_merge = true;  // or the end of a job with a merge could not be told
  Job job(settings, stored.manifest, stored.rows);
  (void)job.take_changes();  // what the start of a host makes of the rows is for a host to write
  auto retried = job.retry(positions);
  if (!retried) return fail(stored.name, retried.error().text());
  batch.push_back(PutRows{stored.name, job.take_changes(), {}});
  batch.push_back(ReopenJob{stored.name, stored.identity.output});
  if (stored.state != JobState::Running) batch.push_back(SetHalt{stored.name, Halt::None});
  return retried;
}

// What may pass is not waited for: whoever asks is there to ask again.
Result<void> carry_out(JobDisk &disk, StoreBatch steps) {
  BatchInWork batch{std::move(steps), false, 0, std::nullopt};
  if (auto trouble = disk.commit({&batch})) return tl::unexpected<Error>(*trouble);
  if (batch.outcome) return *batch.outcome;
  if (auto trouble = disk.follow_up({&batch}); trouble && !batch.outcome) return tl::unexpected<Error>(*trouble);
  disk.close();
  return batch.outcome.value_or(Result<void>{});
}

}  // namespace

Outcome<ExitCode> retry_without_host(const std::string &state_dir, const OperatorCommand &command) {
  const std::string &name = command.names.front();
  if (const auto known = JobLedger::open(state_dir, name); !known) return give_up(ExitCode::Failed, known.error());
  const auto pidfile = Pidfile::take(state_dir);
  if (!pidfile) return give_up(ExitCode::Failed, pidfile.error());
  const auto lock = FleetLock::take(state_dir, kFleetLockLimit, [](const std::string &text) { warn("{}\n", text); });
  if (!lock) return give_up(ExitCode::Failed, lock.error());
  JobDisk::Loaded loaded;
  auto disk = JobDisk::open(state_dir + "/ledger.sqlite", state_dir, loaded);
  if (!disk) return give_up(ExitCode::Failed, disk.error());
  for (const StoredJob &job : loaded.jobs) {
    if (job.name != name) continue;
    StoreBatch batch;
    const auto retried = retry_in(job, command.slices, batch);
    if (!retried) return give_up(ExitCode::Failed, retried.error());
    if (auto done = carry_out(*disk, std::move(batch)); !done) return give_up(ExitCode::Failed, done.error());
    say("{}: {} again with the next `hostler run` or `hostler up`\n", name,
        counted(*retried, "slice is tried", "slices are tried"));
    return ExitCode::Fine;
  }
  return give_up(ExitCode::Failed, name + ": the ledger does not know it");
}

}  // namespace hostler
