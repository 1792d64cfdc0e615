#include "edge/job_disk.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "edge/lasting_folder.h"
#include "edge/merge_file.h"

namespace hostler {
namespace {

template <typename Step>
const Step *as(const StoreStep &step) {
  return std::get_if<Step>(&step);
}

// What may pass keeps a job from running until the next start, so the start waits a second for it.
constexpr int kTriesAtStart = 20;
constexpr auto kBetweenTries = std::chrono::milliseconds(50);

// What is looked at of it.
StoredJob job_in(const ReopenJob &step) {
  StoredJob job;
  job.name = step.job;
  job.identity.output = step.output;
  return job;
}

// An output folder and a path within it.
struct Split {
  std::string folder;
  std::string relative;
};

Split split(const std::string &path) {
  const std::filesystem::path file(path);
  const std::filesystem::path part = file.parent_path();
  const std::filesystem::path parts = part.parent_path();
  if (parts.filename() == kPartsFolder && parse_part_folder(part.filename().string()))
    return {parts.parent_path(), std::filesystem::path(kPartsFolder) / part.filename() / file.filename()};
  return {part, file.filename()};
}

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
  std::map<std::string, std::set<std::string>> stuck;
  const Result<bool> moved = roll_moves_forward(loaded, ours, stuck);
  if (!moved) return tl::unexpected(moved.error());
  if (MoveResult removed = remove_files(""); !removed) loaded.problems.push_back(removed.error().error);
  for (const std::string &job : *untold) {
    if (!ours.contains(job)) continue;
    if (MoveResult told = follow_ended(job); !told) loaded.problems.push_back(problem_of(job, told.error()));
  }
  // What stays now goes at the end of the job.
  for (const StoredJob &job : *jobs) {
    if (!ours.contains(job.name)) continue;
    std::set<std::string> kept_folders = kept_attempts(job);
    kept_folders.merge(stuck[job.name]);
    (void)outputs_.at(job.name).clear_attempts(kept_folders);
  }
  for (const StoredJob &job : *jobs)
    if (job.state == JobState::Running) kept.insert(job.identity.output);
  std::erase_if(locks_, [&](const auto &lock) { return !kept.contains(lock.first); });
  if (Result<void> noted = transact({}); !noted) return noted;
  if (*moved) jobs = ledger_.load_jobs();  // again, as it is now
  if (!jobs) return tl::unexpected(jobs.error());
  loaded.jobs = std::move(*jobs);
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

// Says whether a slice has become done by it.
Result<bool> JobDisk::roll_moves_forward(Loaded &loaded, const std::set<std::string> &ours,
                                         std::map<std::string, std::set<std::string>> &stuck) {
  const Result<std::vector<MoveFiles>> moves = ledger_.pending_moves();
  if (!moves) return tl::unexpected(moves.error());
  std::vector<const MoveFiles *> done;
  for (const MoveFiles &move : *moves) {
    if (!ours.contains(move.job)) continue;
    OutputFolder &folder = outputs_.at(move.job);
    MoveResult placed = folder.place(move);
    if (placed) placed = folder.sync();
    if (placed) {
      done.push_back(&move);
    } else {
      stuck[move.job].insert(folder.attempt_name(move.attempt_dir));
      loaded.problems.push_back(problem_of(move.job, placed.error(), "start the job again with --fresh"));
    }
  }
  if (done.empty()) return false;
  Result<void> noted = ledger_.begin();
  for (const MoveFiles *move : done)
    if (noted) noted = ledger_.move_finished(*move);
  if (noted) noted = ledger_.commit();
  if (!noted) return tl::unexpected(noted.error());
  return true;
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
    if (const auto *create = as<CreateJob>(step)) fine = look_at_job(*create->job, true);
    if (const auto *replan = as<ReplanJob>(step)) fine = look_at_job(*replan->job, false);
    if (const auto *reopen = as<ReopenJob>(step)) fine = look_at_job(job_in(*reopen), false);
    if (const auto *move = as<MoveFiles>(step)) {
      const OutputFolder *folder = folder_of(move->job);
      fine =
          folder == nullptr ? disk_refusal({"ledger", "knows no job " + move->job, {}}) : folder->check_attempt(*move);
    }
    if (!fine) return fine;
  }
  return {};
}

// `anew`: not one that keeps what it has in its folder.
MoveResult JobDisk::look_at_job(const StoredJob &job, bool anew) {
  for (const auto &[name, folder] : outputs_)
    if (name != job.name && folder.path() == job.identity.output) {
      const Result<std::optional<StoredJob>> other = ledger_.load_job(name);
      if (!other) return ledger_failure(other.error());
      if (*other && (*other)->state == JobState::Running)
        return disk_refusal({folder.path(), "is the output folder of job " + name + ", which has not ended", {}});
    }
  const OutputFolder folder(job.identity.output);
  const Result<std::optional<StoredJob>> before = ledger_.load_job(job.name);
  if (!before) return ledger_failure(before.error());
  const bool used = *before && (*before)->identity.output == folder.path();
  const bool locked = locks_.contains(folder.path());
  MoveResult fine = lock(folder);
  if (fine && anew)
    fine = folder.check([&](const OutputPlace &place,
                            std::string_view name) { return ledger_.owns_file(job.name, folder.path(), place, name); },
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

std::optional<Error> JobDisk::follow_up(const std::vector<BatchInWork *> &batches) {
  std::optional<Error> trouble;
  make_places(batches);
  for (BatchInWork *batch : batches) {
    while (!batch->outcome && batch->followed < batch->steps.size()) {
      const MoveResult followed = follow_step(batch->steps[batch->followed]);
      if (!followed && followed.error().may_pass()) {
        trouble = followed.error().error;
        break;
      }
      if (!followed) batch->outcome = tl::unexpected(followed.error().error);
      ++batch->followed;
    }
  }
  for (auto &[job, folder] : outputs_) {
    const MoveResult synced = folder.sync();
    if (synced) continue;
    trouble = synced.error().error;
    // What moved into it is not durable: those batches wait, or have failed.
    for (BatchInWork *batch : batches)
      for (std::size_t i = 0; i < batch->followed && !batch->outcome; ++i) {
        const auto *move = as<MoveFiles>(batch->steps[i]);
        if (move == nullptr || move->job != job) continue;
        if (!synced.error().may_pass()) batch->outcome = tl::unexpected(synced.error().error);
        batch->followed = i;
      }
  }
  for (BatchInWork *batch : batches) settle(*batch);
  return trouble;
}

// What goes wrong here does so again, and is told, when the files are moved.
void JobDisk::make_places(const std::vector<BatchInWork *> &batches) {
  for (const BatchInWork *batch : batches)
    for (std::size_t i = batch->followed; i < batch->steps.size() && !batch->outcome; ++i) {
      const auto *move = as<MoveFiles>(batch->steps[i]);
      if (OutputFolder *folder = move == nullptr ? nullptr : folder_of(move->job)) (void)folder->make_place(*move);
    }
}

// All is done and on the disk: what was in work is no longer needed.
void JobDisk::settle(BatchInWork &batch) {
  if (batch.outcome || batch.followed < batch.steps.size()) return;
  for (const StoreStep &step : batch.steps)
    if (const auto *move = as<MoveFiles>(step)) {
      placed_.push_back(*move);
      drop_attempt(move->attempt_dir);
    }
  batch.outcome = Result<void>{};
}

MoveResult JobDisk::follow_step(const StoreStep &step) {
  if (const auto *create = as<CreateJob>(step)) return follow_planned(*create->job);
  if (const auto *replan = as<ReplanJob>(step)) return follow_planned(*replan->job);
  if (const auto *reopen = as<ReopenJob>(step)) return follow_planned(job_in(*reopen));
  if (const auto *drop = as<DropAttempt>(step)) drop_attempt(drop->attempt_dir);
  if (const auto *state = as<SetJobState>(step); state != nullptr && state->state != JobState::Running) {
    MoveResult ended = follow_ended(state->job);
    if (ended || !ended.error().may_pass()) unlock(state->job);
    return ended;
  }
  const auto *move = as<MoveFiles>(step);
  OutputFolder *folder = move == nullptr ? nullptr : folder_of(move->job);
  return folder == nullptr ? MoveResult{} : folder->place(*move);
}

MoveResult JobDisk::follow_planned(const StoredJob &job) {
  if (const OutputFolder *former = folder_of(job.name); former != nullptr && former->path() != job.identity.output)
    unlock(job.name);
  outputs_.insert_or_assign(job.name, OutputFolder(job.identity.output));
  return remove_files(job.identity.output);
}

// Removes whatever is to be removed. The error is the last one of a file in `folder`, or anywhere when that is empty.
MoveResult JobDisk::remove_files(const std::string &wanted) {
  const Result<std::vector<std::string>> paths = ledger_.pending_removals();
  if (!paths) return ledger_failure(paths.error());
  MoveResult result;
  for (const std::string &path : *paths) {
    const auto [folder, relative] = split(path);
    const MoveResult removed = OutputFolder(folder).remove_file(relative);
    if (removed) {
      removed_.push_back(path);
    } else if (wanted.empty() || folder == wanted) {
      result = removed;
    }
  }
  return result;
}

// Folders of slices that go on at a checkpoint when somebody has them tried again.
std::set<std::string> JobDisk::kept_attempts(const StoredJob &job) const {
  std::set<std::string> kept;
  const OutputFolder folder(job.identity.output);
  for (const SliceRow &row : job.rows)
    if (row.checkpoint && !row.checkpoint->attempt_dir.empty())
      kept.insert(folder.attempt_name(row.checkpoint->attempt_dir));
  return kept;
}

MoveResult JobDisk::follow_ended(const std::string &name) {
  ::unlink(merge_path(name).c_str());
  const Result<std::optional<StoredJob>> job = ledger_.load_job(name);
  if (!job) return ledger_failure(job.error());
  if (!*job) return {};
  const OutputFolder folder((*job)->identity.output);
  const Result<bool> has_files = ledger_.has_files(name);
  if (!has_files) return ledger_failure(has_files.error());
  if (!*has_files) {
    if (MoveResult done = folder.clear_attempts(kept_attempts(**job)); !done) return done;
    told_.push_back(name);
    return {};
  }
  const OutputSummary summary{name, (*job)->id, (*job)->state, (*job)->counters, kept_attempts(**job)};
  MoveResult finished =
      folder.finish(summary, [&](const OutputFolder::TakeFile &take) { return ledger_.for_each_file(name, take); });
  if (finished) told_.push_back(name);
  return finished;
}

void JobDisk::drop_attempt(const std::string &attempt_dir) {
  for (const auto &[job, folder] : outputs_)
    if (!folder.attempt_name(attempt_dir).empty()) return folder.drop_attempt(attempt_dir);
}

OutputFolder *JobDisk::folder_of(const std::string &job) {
  const auto at = outputs_.find(job);
  return at == outputs_.end() ? nullptr : &at->second;
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
