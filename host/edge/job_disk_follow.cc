// JobDisk: what a batch asks for outside of the ledger, once it is durable.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>

#include "edge/job_disk.h"

namespace hostler {
namespace {

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

}  // namespace

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
        const auto *move = std::get_if<MoveFiles>(&batch->steps[i]);
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
      const auto *move = std::get_if<MoveFiles>(&batch->steps[i]);
      if (OutputFolder *folder = move == nullptr ? nullptr : folder_of(move->job)) (void)folder->make_place(*move);
    }
}

// All is done and on the disk: what was in work is no longer needed.
void JobDisk::settle(BatchInWork &batch) {
  if (batch.outcome || batch.followed < batch.steps.size()) return;
  for (const StoreStep &step : batch.steps)
    if (const auto *move = std::get_if<MoveFiles>(&step)) {
      placed_.push_back(*move);
      drop_attempt(move->attempt_dir);
    }
  batch.outcome = Result<void>{};
}

MoveResult JobDisk::follow_step(const StoreStep &step) {
  if (const auto *create = std::get_if<CreateJob>(&step))
    return follow_planned(create->job->name, create->job->identity.output);
  if (const auto *replan = std::get_if<ReplanJob>(&step))
    return follow_planned(replan->job->name, replan->job->identity.output);
  if (const auto *reopen = std::get_if<ReopenJob>(&step)) return follow_planned(reopen->job, reopen->output);
  if (const auto *drop = std::get_if<DropAttempt>(&step)) drop_attempt(drop->attempt_dir);
  if (const auto *state = std::get_if<SetJobState>(&step); state != nullptr && state->state != JobState::Running)
    return follow_ended(state->job);
  const auto *move = std::get_if<MoveFiles>(&step);
  OutputFolder *folder = move == nullptr ? nullptr : folder_of(move->job);
  return folder == nullptr ? MoveResult{} : folder->place(*move);
}

MoveResult JobDisk::follow_planned(const std::string &job, const std::string &output) {
  if (const OutputFolder *former = folder_of(job); former != nullptr && former->path() != output) unlock(job);
  outputs_.insert_or_assign(job, OutputFolder(output));
  return remove_files(output);
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
  const Result<std::optional<StoredJob>> job = ledger_.load_job(name);
  if (!job) return ledger_failure(job.error());
  if (!*job || (*job)->state == JobState::Running) return {};  // it has begun anew meanwhile
  ::unlink(merge_path(name).c_str());
  MoveResult told = tell_folder(**job);
  if (told) told_.push_back(name);
  if (told || !told.error().may_pass()) unlock(name);
  return told;
}

MoveResult JobDisk::tell_folder(const StoredJob &job) {
  const OutputFolder folder(job.identity.output);
  const Result<bool> has_files = ledger_.has_files(job.name);
  if (!has_files) return ledger_failure(has_files.error());
  if (!*has_files) return folder.clear_attempts(kept_attempts(job));
  const OutputSummary summary{job.name, job.id, job.state, job.counters, kept_attempts(job)};
  return folder.finish(summary,
                       [&](const OutputFolder::TakeFile &take) { return ledger_.for_each_file(job.name, take); });
}

void JobDisk::drop_attempt(const std::string &attempt_dir) {
  for (const auto &[job, folder] : outputs_)
    if (!folder.attempt_name(attempt_dir).empty()) return folder.drop_attempt(attempt_dir);
}

}  // namespace hostler
