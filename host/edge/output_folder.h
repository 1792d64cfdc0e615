// A job's OUTPUT folder on the disk (core/output_layout.h says what lies where). Blocking; one thread.
//
// Attempts belong to workers, which may do what they like in their folders: nothing there is followed or opened, and
// only regular files are ever moved. What is moved has its place for good after sync(). All steps may be repeated.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/job_store.h"
#include "core/output_layout.h"
#include "edge/disk_error.h"
#include "edge/unique_fd.h"

namespace hostler {

using MoveResult = DiskResult<void>;

// What stands in manifest.json, besides the files.
struct OutputSummary {
  std::string job;
  std::string id;
  JobState state = JobState::Succeeded;
  std::map<std::string, std::int64_t> counters;
  std::set<std::string> kept_attempts{};  // names of folders below .attempts that stay; no part of the manifest
};

// A folder that is ours alone. Its descriptor is not inherited by what is executed.
class OutputLock {
 public:
  explicit OutputLock(UniqueFd folder) : folder_(std::move(folder)) {}
  OutputLock(OutputLock &&) = default;
  OutputLock &operator=(OutputLock &&) = delete;
  ~OutputLock();

 private:
  UniqueFd folder_;
};

class OutputFolder {
 public:
  explicit OutputFolder(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] const std::string &path() const { return path_; }

  // Makes it and what attempts need.
  [[nodiscard]] MoveResult create() const;
  // Refuses a folder with a file for which `ours` says no, and attempts unless we `used` the folder before. A folder
  // that is not there is fine.
  using IsOurs = std::function<Result<bool>(const OutputPlace &, std::string_view name)>;
  [[nodiscard]] MoveResult check(const IsOurs &ours, bool used) const;
  // Makes the folder, without what is in it, and keeps every other host out of it for as long as the lock lives. Where
  // the filesystem knows no such locks (some that are reached over a network) nobody is kept out.
  [[nodiscard]] DiskResult<OutputLock> lock() const;

  // The attempt's folder within .attempts, from the path a worker told; empty when it is none of ours.
  [[nodiscard]] std::string attempt_name(std::string_view attempt_dir) const;
  // Could place() do this? Asked before the commit point, from which there is no way back.
  [[nodiscard]] MoveResult check_attempt(const MoveFiles &move) const;
  // Makes the folder that the files go to. Done for many before place() moves the first, they become durable together.
  [[nodiscard]] MoveResult make_place(const MoveFiles &move);
  // Moves the files of one attempt to their places; those that have them already are fine.
  [[nodiscard]] MoveResult place(const MoveFiles &move);
  // Makes what was placed durable.
  [[nodiscard]] MoveResult sync();
  // Removes the attempt with all it left.
  void drop_attempt(std::string_view attempt_dir) const;
  // Removes all attempts but these, by their names, and nothing that has no attempt's name.
  [[nodiscard]] MoveResult clear_attempts(const std::set<std::string> &but) const;

  // Removes one regular file, by its path within the folder, and what folders of ours that leaves empty.
  [[nodiscard]] MoveResult remove_file(const std::string &relative) const;

  // Calls its argument for each file that is committed.
  using TakeFile = std::function<Result<void>(const OutputPlace &, std::string_view name)>;
  using ListFiles = std::function<Result<void>(const TakeFile &)>;
  // An error names the first that is no longer there.
  [[nodiscard]] MoveResult check_committed(const ListFiles &files) const;
  // At the end of the job: manifest.json, of a succeeded one _SUCCESS, and no attempts any more but those kept. A file that
  // is no longer there is an error, and nothing is told then.
  [[nodiscard]] MoveResult finish(const OutputSummary &summary, const ListFiles &files) const;

 private:
  [[nodiscard]] MoveResult open_target(const MoveFiles &move, UniqueFd &target);
  std::string path_;
  bool dirty_ = true;  // what was made since the last sync() may be forgotten; a former host may have left such
};

}  // namespace hostler
