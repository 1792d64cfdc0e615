// The ledger: STATE/ledger.sqlite, all that is durable about jobs but for their files. One thread writes it; other
// processes may read it meanwhile. A transaction that commits is on the disk (WAL, synchronous FULL).
//
// Counters are kept as totals and grow in the transaction that makes their slice done: exactly once. Files are known
// from the commit point on; a `move` stands until they have their places, a `removal` until they are gone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/job_store.h"
#include "core/output_layout.h"
#include "edge/sqlite.h"

namespace hostler {

// What a slice, or the merge, left.
struct StoredResult {
  OutputPlace place;
  std::int64_t end = 0;                  // local
  std::optional<std::string_view> data;  // valid during the call that hands it out
  std::vector<std::string> files;        // names
};

class Ledger {
 public:
  // Makes the file when it is missing.
  [[nodiscard]] static Result<Ledger> open(const std::string &path);
  // For a look while a host may be running, or not. Nothing can be written.
  [[nodiscard]] static Result<Ledger> open_read_only(const std::string &path);

  // Several batches may go into one transaction. A batch that fails leaves no trace; the others are not touched by it,
  // unless in_transaction() is false afterwards: then all is lost and nothing else can be done but begin().
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> apply(const StoreBatch &batch);
  [[nodiscard]] Result<void> commit();
  void rollback();
  // On a disk that is full: what the log of transactions takes beside the tables. Outside of a transaction; best effort.
  void give_back_room();
  [[nodiscard]] bool in_transaction() const { return database_.in_transaction(); }
  // Did the last step of a transaction fail for something that may pass (a full disk, an I/O error, another process)?
  [[nodiscard]] bool failure_may_pass() const { return database_.failure_may_pass(); }

  [[nodiscard]] Result<std::vector<std::string>> job_names();
  // Entries that an operator has stopped or paused.
  [[nodiscard]] Result<std::map<std::string, Halt>> halted_entries();
  [[nodiscard]] Result<std::vector<StoredJob>> load_jobs();
  [[nodiscard]] Result<std::optional<StoredJob>> load_job(const std::string &name);
  // Without its rows, which may be many: for_each_row() gives them.
  [[nodiscard]] Result<std::optional<StoredJob>> load_plan(const std::string &name);

  // These go through a job's table piece by piece: however long `take` takes, the ledger's log does not grow for it, and
  // what changes meanwhile may be seen or not. Each stops at an error of `take`.
  using TakeRow = std::function<Result<void>(const SliceRow &)>;
  [[nodiscard]] Result<void> for_each_row(const std::string &job, const TakeRow &take);  // by begin, the merge's last
  using TakeAttempt = std::function<Result<void>(const Attempt &)>;
  [[nodiscard]] Result<void> for_each_attempt(const std::string &job, const TakeAttempt &take);  // by seq
  // All that is left, in order of (input, begin), the merge's last.
  [[nodiscard]] Result<void> for_each_result(const std::string &job,
                                             const std::function<Result<void>(const StoredResult &)> &take);
  // The last attempt at what begins here that was not done, or nothing.
  [[nodiscard]] Result<std::optional<Attempt>> last_failure(const std::string &job, const SliceRange &range);
  // What merge() left as the job's result, or nothing.
  [[nodiscard]] Result<std::optional<std::string>> merge_result(const std::string &job);
  [[nodiscard]] Result<void> for_each_file(
      const std::string &job, const std::function<Result<void>(const OutputPlace &, std::string_view name)> &take);
  [[nodiscard]] Result<bool> has_files(const std::string &job);
  // Of the record that begins here (local), if its row says that it is isolated.
  [[nodiscard]] Result<std::optional<IsolatedRecord>> isolated(const std::string &job, std::int32_t input,
                                                               std::int64_t begin);
  // What the last checkpoint of the slice that begins here (local) saved, or nothing.
  [[nodiscard]] Result<std::optional<std::string>> checkpoint_data(const std::string &job, std::int32_t input,
                                                                   std::int64_t begin);
  // What was put aside, in order of (input, begin); piece by piece like the others.
  using TakeAside = std::function<Result<void>(std::int32_t input, const Aside &)>;
  [[nodiscard]] Result<void> for_each_aside(const std::string &job, const TakeAside &take);
  // Did that job, in that output folder, commit that file?
  [[nodiscard]] Result<bool> owns_file(const std::string &job, const std::string &output, const OutputPlace &place,
                                       std::string_view name);

  // Files that are committed and may not have their places yet.
  [[nodiscard]] Result<std::vector<MoveFiles>> pending_moves();
  // They have: their slice's row becomes done in the same transaction, for nothing would ever finish it without a move.
  [[nodiscard]] Result<void> move_finished(const MoveFiles &move);
  // Files, as absolute paths, that are no longer any job's and may still be there.
  [[nodiscard]] Result<std::vector<std::string>> pending_removals();
  [[nodiscard]] Result<void> removal_finished(const std::string &path);
  // Ended jobs whose output folders are yet to be told.
  [[nodiscard]] Result<std::vector<std::string>> unfinished_outputs();
  [[nodiscard]] Result<void> output_finished(const std::string &job);

 private:
  explicit Ledger(Database database) : database_(std::move(database)) {}
  [[nodiscard]] Result<void> set_up();
  [[nodiscard]] Result<void> check_schema();

  [[nodiscard]] Result<std::int64_t> key_of(const std::string &job);
  [[nodiscard]] Result<void> apply_step(const StoreStep &step);
  [[nodiscard]] Result<void> apply_step(const CreateJob &step);
  [[nodiscard]] Result<void> apply_step(const ReplanJob &step);
  [[nodiscard]] Result<void> apply_step(const ReopenJob &step);
  [[nodiscard]] Result<void> apply_step(const PutRows &step);
  [[nodiscard]] Result<void> apply_step(const PutUsage &step);
  [[nodiscard]] Result<void> apply_step(const PutResult &step);
  [[nodiscard]] Result<void> apply_step(const AddCounters &step);
  [[nodiscard]] Result<void> apply_step(const PutIsolated &step);
  [[nodiscard]] Result<void> apply_step(const PutAside &step);
  [[nodiscard]] Result<void> apply_step(const PutCheckpoint &step);
  [[nodiscard]] Result<void> apply_step(const EndCheckpoint &step);
  [[nodiscard]] Result<void> apply_step(const MoveFiles &step);
  [[nodiscard]] Result<void> apply_step(const SetJobState &step);
  [[nodiscard]] Result<void> apply_step(const SetHalt &step);
  [[nodiscard]] Result<void> remove_job(std::int64_t key);
  [[nodiscard]] Result<void> remove_plan(std::int64_t key);
  [[nodiscard]] Result<void> remove_merge(std::int64_t key);
  [[nodiscard]] Result<std::string> output_of(std::int64_t key);
  [[nodiscard]] Result<void> remove_files(std::int64_t key, const std::string &output, bool only_merge);
  [[nodiscard]] Result<void> insert_plan(std::int64_t key, const StoredJob &job);
  [[nodiscard]] Result<void> put_row(std::int64_t key, const SliceRow &row);
  [[nodiscard]] Result<void> put_attempt(std::int64_t key, const Attempt &attempt);
  [[nodiscard]] Result<std::int64_t> build_id(const Build &build);
  // ledger_trouble.cc
  [[nodiscard]] Result<void> recall_troubled();
  [[nodiscard]] Result<void> put_trouble(const std::pair<std::int64_t, std::int64_t> &at, const Trouble &trouble);
  [[nodiscard]] Result<void> remove_trouble(std::int64_t key);
  [[nodiscard]] Result<std::map<std::int64_t, Trouble>> load_trouble(std::int64_t key);
  [[nodiscard]] Result<bool> has_table(const char *name);
  [[nodiscard]] Result<void> end_checkpoint(std::int64_t key, std::int32_t input, std::int64_t begin, bool take_back);
  [[nodiscard]] Result<void> replan_checkpoints(std::int64_t key, const StoredJob &job);

  [[nodiscard]] Result<Manifest> load_manifest(std::int64_t key, InputKind kind, std::int64_t slice_size,
                                               std::int64_t unit, std::int64_t base);
  [[nodiscard]] Result<void> load_details(std::int64_t key, StoredJob &job);
  [[nodiscard]] Result<void> load_rows(std::int64_t key, StoredJob &job);
  [[nodiscard]] Result<void> load_account(std::int64_t key, StoredJob &job);
  [[nodiscard]] Result<std::optional<StoredJob>> load(const std::string &name, bool with_rows);
  using Checkpoints = std::map<std::int64_t, std::shared_ptr<const Checkpoint>>;  // by where the slice begins, global
  [[nodiscard]] Result<Checkpoints> load_checkpoints(std::int64_t key);
  [[nodiscard]] Result<Skipped> count_aside(std::int64_t key,
                                            std::optional<std::pair<std::int64_t, std::int64_t>> slice);
  [[nodiscard]] Result<bool> has_checkpoints();
  // Of a ledger that no host has opened since it got this table: read-only it stays without.
  [[nodiscard]] Result<bool> has_attempts();
  struct OwnedResult {
    OutputPlace place;
    std::int64_t end = 0;
    std::optional<std::string> data;
    std::int64_t files = 0;  // how many
  };
  [[nodiscard]] Result<void> read_results(std::int64_t key, const OutputPlace &after,
                                          std::vector<OwnedResult> &results);
  [[nodiscard]] Result<std::vector<std::string>> files_of(std::int64_t key, const OutputPlace &place);

  // A counter's row, read once in a transaction and written once, at its end.
  struct Total {
    std::int64_t value = 0;
    bool changed = false;
  };
  using CounterKey = std::tuple<std::int64_t, bool, std::string>;  // job, merge, name
  // A slice's row as the transaction leaves it; nothing: erased. The rows of a lease and of what is done before it change
  // with every slice, so they too are written once.
  using RowKey = std::pair<std::int64_t, std::int64_t>;  // job, begin
  using PendingRow = std::optional<SliceRow>;
  // Likewise: the line of slices that are done one after another grows with each of them.
  using AttemptKey = std::pair<std::int64_t, std::int64_t>;  // job, seq
  [[nodiscard]] Result<void> add_to(const CounterKey &counter, std::int64_t delta);
  void change_row(const RowKey &at, PendingRow row);
  void change_attempt(const AttemptKey &at, const Attempt &attempt);
  [[nodiscard]] Result<void> write_pending();
  [[nodiscard]] Result<void> apply_simple(const StoreBatch &batch);
  void undo_pending();
  void forget_transaction();

  Database database_;
  std::map<std::string, std::int64_t> keys_;  // of jobs, as this transaction knows them
  std::map<CounterKey, Total> counters_;
  std::map<RowKey, PendingRow> rows_;
  std::optional<std::set<RowKey>> troubled_;  // rows that remember crashes; nothing: to be looked up
  std::map<AttemptKey, Attempt> attempts_;
  std::map<std::string, std::int64_t> builds_;  // ids by hash and library
  // What the batch in work has changed, as it was.
  std::vector<std::pair<CounterKey, Total>> counter_undo_;
  std::vector<std::pair<RowKey, std::optional<PendingRow>>> row_undo_;
  std::vector<std::pair<AttemptKey, std::optional<Attempt>>> attempt_undo_;
};

}  // namespace hostler
