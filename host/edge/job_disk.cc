#include "edge/job_disk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "edge/lasting_folder.h"
#include "edge/merge_file.h"

namespace hostler {
namespace {

// A folder that cannot be locked keeps its job from running until the next start, so the start waits a second for what may pass.
constexpr int kTriesAtStart = 20;
constexpr auto kBetweenTries = std::chrono::milliseconds(50);

Error problem_of(const std::string &job, const DiskError &error, const char *hint = "") {
  return {job, error.error.text(), hint, error.may_pass()};
}

// Whatever the umask: workers of another user find their way through it, and see nothing that is not theirs.
Result<void> make_traversable(const std::string &folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(folder, std::string("cannot be made: ") + std::strerror(errno));
  if (::chmod(folder.c_str(), 0711) != 0) return fail(folder, std::string("chmod: ") + std::strerror(errno));
  if (const int error = make_name_durable(folder); error != 0)
    return errno_error(error, folder, "cannot be made durable");
  return {};
}

}  // namespace

Result<JobDisk> JobDisk::open(const std::string &ledger_path, const std::string &state_dir, Loaded &loaded) {
  Result<Ledger> ledger = Ledger::open(ledger_path);
  if (!ledger) return tl::unexpected(ledger.error());
  const std::string merge_dir = state_dir + "/merge";
  for (const std::string &each : {merge_dir, state_dir + "/output"})
    if (Result<void> made = make_traversable(each); !made) return tl::unexpected(made.error());
  JobDisk disk(std::move(*ledger), merge_dir);
  for (int tries = 1;; ++tries) {
    loaded = {};
    if (Result<void> rolled = disk.roll_forward(loaded); !rolled) return tl::unexpected(rolled.error());
    const bool again = std::ranges::any_of(loaded.problems, [](const Error &problem) { return problem.may_pass; });
    if (!again || tries == kTriesAtStart) return disk;
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Result<void> JobDisk::roll_forward(Loaded &loaded) {
  Result<std::vector<StoredJob>> jobs = ledger_.load_jobs();
  if (!jobs) return tl::unexpected(jobs.error());
  std::set<std::string> kept;  // folders
  for (const StoredJob &job : *jobs) outputs_.insert_or_assign(job.name, OutputFolder(job.identity.output));
  const Result<std::vector<std::string>> untold = ledger_.unfinished_outputs();
  if (!untold) return tl::unexpected(untold.error());
  const std::set<std::string> ours = lock_outputs(*jobs, *untold, loaded);
  Result<Moves> moves = roll_moves_forward(loaded, ours);
  if (!moves) return tl::unexpected(moves.error());
  if (MoveResult removed = remove_files(""); !removed) loaded.problems.push_back(removed.error().error);
  for (const StoredJob &job : *jobs) {
    if (!ours.contains(job.name) || std::ranges::find(*untold, job.name) == untold->end()) continue;
    const MoveResult told = follow_ended(job.name);
    if (told) continue;
    if (!told.error().may_pass()) {
      loaded.problems.push_back(problem_of(job.name, told.error()));
      continue;
    }
    loaded.to_follow.push_back({{SetJobState{job.name, job.state, {}, 0}}, true, 0, std::nullopt});
    kept.insert(job.identity.output);
  }
  // What stays now goes at the end of the job.
  for (const StoredJob &job : *jobs) {
    if (!ours.contains(job.name)) continue;
    std::set<std::string> kept_folders = kept_attempts(job);
    kept_folders.merge(moves->stuck[job.name]);
    (void)outputs_.at(job.name).clear_attempts(kept_folders);
  }
  for (const StoredJob &job : *jobs)
    if (job.state == JobState::Running) kept.insert(job.identity.output);
  std::erase_if(locks_, [&](const auto &lock) { return !kept.contains(lock.first); });
  if (Result<void> noted = transact({}); !noted) return noted;
  if (moves->any_done) jobs = ledger_.load_jobs();  // again, as it is now
  if (!jobs) return tl::unexpected(jobs.error());
  loaded.jobs = std::move(*jobs);
  for (StoredJob &job : loaded.jobs) job.to_place = std::move(moves->waiting[job.name]);
  auto halted = ledger_.halted_entries();
  if (!halted) return tl::unexpected(halted.error());
  loaded.halted = std::move(*halted);
  return {};
}

// The jobs whose folders are still to be written to, unless another host has them.
std::set<std::string> JobDisk::lock_outputs(const std::vector<StoredJob> &jobs, const std::vector<std::string> &untold,
                                            Loaded &loaded) {
  std::set<std::string> ours;
  for (const StoredJob &job : jobs) {
    const bool ended = std::find(untold.begin(), untold.end(), job.name) == untold.end();
    if (job.state != JobState::Running && ended) continue;
    if (const MoveResult locked = lock(OutputFolder(job.identity.output)); locked)
      ours.insert(job.name);
    else
      loaded.problems.push_back(problem_of(job.name, locked.error()));
  }
  return ours;
}

Result<JobDisk::Moves> JobDisk::roll_moves_forward(Loaded &loaded, const std::set<std::string> &ours) {
  Result<std::vector<MoveFiles>> pending = ledger_.pending_moves();
  if (!pending) return tl::unexpected(pending.error());
  Moves moves;
  std::vector<const MoveFiles *> done;
  for (MoveFiles &move : *pending) {
    if (!ours.contains(move.job)) continue;
    OutputFolder &folder = outputs_.at(move.job);
    MoveResult placed = folder.place(move);
    if (placed) placed = folder.sync();
    if (placed) {
      done.push_back(&move);
      continue;
    }
    moves.stuck[move.job].insert(folder.attempt_name(move.attempt_dir));
    if (placed.error().may_pass())
      moves.waiting[move.job].push_back(std::move(move));
    else
      loaded.problems.push_back(problem_of(move.job, placed.error(), "start the job again with --fresh"));
  }
  if (done.empty()) return moves;
  Result<void> noted = ledger_.begin();
  for (const MoveFiles *move : done)
    if (noted) noted = ledger_.move_finished(*move);
  if (noted) noted = ledger_.commit();
  if (!noted) return tl::unexpected(noted.error());
  moves.any_done = true;
  return moves;
}

std::optional<Error> JobDisk::commit(const std::vector<BatchInWork *> &batches) {
  for (BatchInWork *batch : batches) {
    if (batch->outcome) continue;  // since an earlier try
    const MoveResult fine = look_at(batch->steps);
    if (!fine && fine.error().may_pass()) return fine.error().error;
    if (!fine) batch->outcome = tl::unexpected(fine.error().error);
  }
  Result<void> done = transact(batches);
  if (!done && ledger_.failure_may_pass()) {
    ledger_.give_back_room();
    done = transact(batches);
  }
  if (done) return std::nullopt;
  if (ledger_.failure_may_pass()) return done.error();
  for (BatchInWork *batch : batches)
    if (!batch->outcome) batch->outcome = done;
  return std::nullopt;
}

// The error is the transaction's; a batch that alone is at fault has it as its outcome.
Result<void> JobDisk::transact(const std::vector<BatchInWork *> &batches) {
  Result<void> done = ledger_.begin();
  if (done) done = note_followed();
  for (BatchInWork *batch : batches) {
    if (!done) break;
    if (batch->outcome) continue;
    Result<void> applied = ledger_.apply(batch->steps);
    if (applied) continue;
    if (!ledger_.in_transaction()) return applied;
    batch->outcome = applied;
  }
  if (done) done = ledger_.commit();
  if (!done) {
    ledger_.rollback();
    return done;
  }
  forget_followed();
  for (BatchInWork *batch : batches) batch->durable = !batch->outcome;
  return {};
}

// A read that failed: what it was may pass, or not.
tl::unexpected<DiskError> JobDisk::ledger_failure(Error error) const {
  return tl::unexpected(DiskError{std::move(error), ledger_.failure_may_pass() ? EIO : 0});
}

Result<void> JobDisk::note_followed() {
  Result<void> noted;
  for (const MoveFiles &move : placed_)
    if (noted) noted = ledger_.move_finished(move);
  for (const std::string &path : removed_)
    if (noted) noted = ledger_.removal_finished(path);
  for (const std::string &job : told_)
    if (noted) noted = ledger_.output_finished(job);
  return noted;
}

void JobDisk::forget_followed() {
  placed_.clear();
  removed_.clear();
  told_.clear();
}

void JobDisk::close() {
  if (placed_.empty() && removed_.empty() && told_.empty()) return;
  if (const Result<void> noted = transact({}); !noted) forget_followed();
}

MoveResult JobDisk::look_at(const StoreBatch &steps) {
  for (const StoreStep &step : steps) {
    MoveResult fine;
    if (const auto *create = std::get_if<CreateJob>(&step))
      fine = look_at_job(create->job->name, create->job->identity.output, true);
    if (const auto *replan = std::get_if<ReplanJob>(&step))
      fine = look_at_job(replan->job->name, replan->job->identity.output, false);
    if (const auto *reopen = std::get_if<ReopenJob>(&step)) fine = look_at_job(reopen->job, reopen->output, false);
    if (const auto *move = std::get_if<MoveFiles>(&step)) {
      const OutputFolder *folder = folder_of(move->job);
      if (folder == nullptr)
        fine = disk_refusal({"ledger", "knows no job " + move->job, {}});
      else if (!move->committed)
        fine = folder->check_attempt(*move);
    }
    if (!fine) return fine;
  }
  return {};
}

// `anew`: not one that keeps what it has in its folder.
MoveResult JobDisk::look_at_job(const std::string &job, const std::string &output, bool anew) {
  for (const auto &[name, folder] : outputs_)
    if (name != job && folder.path() == output) {
      const Result<std::optional<StoredJob>> other = ledger_.load_job(name);
      if (!other) return ledger_failure(other.error());
      if (*other && (*other)->state == JobState::Running)
        return disk_refusal({folder.path(), "is the output folder of job " + name + ", which has not ended", {}});
    }
  const OutputFolder folder(output);
  const Result<std::optional<StoredJob>> before = ledger_.load_job(job);
  if (!before) return ledger_failure(before.error());
  const bool used = *before && (*before)->identity.output == folder.path();
  const bool locked = locks_.contains(folder.path());
  MoveResult fine = lock(folder);
  if (fine && anew)
    fine = folder.check([&](const OutputPlace &place,
                            std::string_view name) { return ledger_.owns_file(job, folder.path(), place, name); },
                        used);
  if (fine) fine = folder.create();
  if (!fine && !locked) locks_.erase(folder.path());
  return fine;
}

MoveResult JobDisk::lock(const OutputFolder &folder) {
  if (locks_.contains(folder.path())) return {};
  DiskResult<OutputLock> lock = folder.lock();
  if (!lock) return tl::unexpected(lock.error());
  locks_.emplace(folder.path(), std::move(*lock));
  return {};
}

// The job has ended, or leaves its folder.
void JobDisk::unlock(const std::string &job) {
  if (const OutputFolder *folder = folder_of(job)) locks_.erase(folder->path());
}

OutputFolder *JobDisk::folder_of(const std::string &job) {
  const auto at = outputs_.find(job);
  return at == outputs_.end() ? nullptr : &at->second;
}

MoveResult JobDisk::check_outputs(const std::string &job) {
  const Result<bool> has_files = ledger_.has_files(job);
  if (!has_files) return ledger_failure(has_files.error());
  const OutputFolder *folder = folder_of(job);
  if (!*has_files || folder == nullptr) return {};
  return folder->check_committed([&](const OutputFolder::TakeFile &take) { return ledger_.for_each_file(job, take); });
}

DiskResult<std::string> JobDisk::read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin) {
  Result<std::optional<std::string>> data = ledger_.checkpoint_data(job, input, begin);
  if (!data) return ledger_failure(data.error());
  if (!*data) return disk_refusal({"ledger", "has no checkpoint of a slice of job " + job, {}});
  return std::move(**data);
}

DiskResult<std::string> JobDisk::write_merge_input(const std::string &job) {
  const std::string path = merge_path(job);
  if (DiskResult<void> written = write_merge_file(ledger_, job, path); !written) return tl::unexpected(written.error());
  return path;
}

}  // namespace hostler
