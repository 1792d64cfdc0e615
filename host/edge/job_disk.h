// The ledger and the output folders together: batches of steps become durable here, blocking. One thread at a time.
//
// A batch goes through three stages: it is looked at (may it commit at all?), its transaction commits (many batches in
// one), and what it asks for outside of the ledger is done: files moved and removed, folders told. What is interrupted
// after the commit point is rolled forward by the next open(). The output folder of a job that has not ended is locked:
// two hosts never write into the same one.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job_store.h"
#include "edge/ledger.h"
#include "edge/output_folder.h"

namespace hostler {

struct BatchInWork {
  StoreBatch steps;
  bool durable = false;                 // the transaction has committed
  std::size_t followed = 0;             // so many steps have been followed up
  std::optional<Result<void>> outcome;  // once there is nothing more to do for it
};

class JobDisk {
 public:
  // What the ledger had, rolled forward. Each problem is a job's that could not be, with its name in `where`; its
  // slices stay committing. What cannot be placed for now is in its StoredJob::to_place. `to_follow`: what ended jobs
  // still wait to have done, for room maybe. No worker of a former host may be alive.
  struct Loaded {
    std::vector<StoredJob> jobs;
    std::vector<Error> problems;
    std::vector<BatchInWork> to_follow;
    std::map<std::string, Halt> halted;  // entries, by an operator
  };
  [[nodiscard]] static Result<JobDisk> open(const std::string &ledger_path, const std::string &state_dir,
                                            Loaded &loaded);

  // One transaction for all batches. Each is then durable, or has an outcome that says why not. An error says that
  // nothing has happened because of something that may pass, so that all should be tried again.
  [[nodiscard]] std::optional<Error> commit(const std::vector<BatchInWork *> &batches);
  // Does what durable batches ask for. Those without an outcome after it wait for something that may pass: the error.
  [[nodiscard]] std::optional<Error> follow_up(const std::vector<BatchInWork *> &batches);
  // Notes in the ledger what need not be rolled forward any more. Best effort.
  void close();

  [[nodiscard]] DiskResult<std::string> write_merge_input(const std::string &job);
  // An error names the first file that was committed and is not there.
  [[nodiscard]] MoveResult check_outputs(const std::string &job);
  [[nodiscard]] DiskResult<std::string> read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin);

 private:
  JobDisk(Ledger ledger, std::string merge_dir) : ledger_(std::move(ledger)), merge_dir_(std::move(merge_dir)) {}

  [[nodiscard]] Result<void> roll_forward(Loaded &loaded);
  [[nodiscard]] std::set<std::string> lock_outputs(const std::vector<StoredJob> &jobs,
                                                   const std::vector<std::string> &untold, Loaded &loaded);
  struct Moves {
    bool any_done = false;
    std::map<std::string, std::vector<MoveFiles>> waiting;  // by job: what may pass hinders them
    std::map<std::string, std::set<std::string>> stuck;     // by job: attempts of all that are not done
  };
  [[nodiscard]] Result<Moves> roll_moves_forward(Loaded &loaded, const std::set<std::string> &ours);

  [[nodiscard]] MoveResult look_at(const StoreBatch &steps);
  [[nodiscard]] MoveResult look_at_job(const std::string &job, const std::string &output, bool anew);
  [[nodiscard]] MoveResult lock(const OutputFolder &folder);
  void unlock(const std::string &job);
  [[nodiscard]] Result<void> transact(const std::vector<BatchInWork *> &batches);
  [[nodiscard]] tl::unexpected<DiskError> ledger_failure(Error error) const;
  [[nodiscard]] Result<void> note_followed();
  void forget_followed();

  [[nodiscard]] std::set<std::string> kept_attempts(const StoredJob &job) const;
  void make_places(const std::vector<BatchInWork *> &batches);
  [[nodiscard]] MoveResult follow_step(const StoreStep &step);
  [[nodiscard]] MoveResult follow_planned(const std::string &job, const std::string &output);
  [[nodiscard]] MoveResult follow_ended(const std::string &name);
  [[nodiscard]] MoveResult tell_folder(const StoredJob &job);
  [[nodiscard]] MoveResult remove_files(const std::string &wanted);
  void drop_attempt(const std::string &attempt_dir);
  void settle(BatchInWork &batch);
  [[nodiscard]] OutputFolder *folder_of(const std::string &job);
  [[nodiscard]] std::string merge_path(const std::string &job) const { return merge_dir_ + "/" + job; }

  Ledger ledger_;
  std::string merge_dir_;
  std::map<std::string, OutputFolder> outputs_;  // by job
  std::map<std::string, OutputLock> locks_;      // by path: of jobs that have not ended
  // Followed up, and yet to be noted in the ledger: with the next transaction.
  std::vector<MoveFiles> placed_;
  std::vector<std::string> removed_;
  std::vector<std::string> told_;
};

}  // namespace hostler
