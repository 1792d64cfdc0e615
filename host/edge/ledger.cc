// Transactions and the steps of a batch; jobs as a whole are in ledger_jobs.cc, what is read in ledger_read.cc.
#include "edge/ledger.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "edge/ledger_schema.h"
#include "edge/ledger_steps.h"

namespace hostler {
namespace {

// Such a step is rare, and may touch the job's key and its counters.
template <typename Step>
constexpr bool kConcernsJob = std::is_same_v<Step, CreateJob> || std::is_same_v<Step, ReplanJob> ||
                              std::is_same_v<Step, ReopenJob> || std::is_same_v<Step, SetJobState>;

bool concerns_job(const StoreStep &step) {
  return std::visit([](const auto &each) { return kConcernsJob<std::decay_t<decltype(each)>>; }, step);
}

// Changes only what is written at the end of the transaction.
bool is_pending_only(const StoreStep &step) {
  return std::holds_alternative<PutRows>(step) || std::holds_alternative<AddCounters>(step) ||
         std::holds_alternative<DropAttempt>(step);
}

bool is_result(const StoreStep &step) {
  return std::holds_alternative<PutResult>(step);
}

// One statement of its own at most, and that is all or nothing by itself: what nearly every slice leaves.
bool is_simple(const StoreBatch &batch) {
  const auto results = std::count_if(batch.begin(), batch.end(), is_result);
  const auto pending = std::count_if(batch.begin(), batch.end(), is_pending_only);
  return results <= 1 && results + pending == static_cast<std::ptrdiff_t>(batch.size());
}

}  // namespace

Result<Ledger> Ledger::open(const std::string &path) {
  Result<Database> database = Database::open(path, Database::Access::ReadWrite);
  if (!database) return tl::unexpected(database.error());
  Ledger ledger(std::move(*database));
  if (Result<void> ready = ledger.set_up(); !ready) return tl::unexpected(ready.error());
  return ledger;
}

Result<Ledger> Ledger::open_read_only(const std::string &path) {
  Result<Database> database = Database::open(path, Database::Access::ReadOnly);
  if (!database) return tl::unexpected(database.error());
  Ledger ledger(std::move(*database));
  if (Result<void> ready = ledger.check_schema(); !ready) return tl::unexpected(ready.error());
  return ledger;
}

Result<void> Ledger::check_schema() {
  const Result<std::optional<std::int64_t>> version = database_.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  if (version->value_or(0) == kLedgerSchema) return {};
  return fail("ledger", fmt::format("has schema {}, this hostler knows {}", version->value_or(0), kLedgerSchema),
              "use the hostler that wrote it, or another state folder");
}

Result<void> Ledger::set_up() {
  Result<void> ready = database_.execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 100;"
      "PRAGMA journal_size_limit = 1048576; PRAGMA temp_store = MEMORY");
  if (!ready) return ready;
  const Result<std::optional<std::int64_t>> version = database_.number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  if (version->value_or(0) != 0) {
    ready = check_schema();
    return ready ? database_.execute(kLedgerLater) : ready;
  }
  const std::string script = fmt::format("BEGIN IMMEDIATE; {} {}; PRAGMA user_version = {}; COMMIT", kLedgerTables,
                                         kLedgerLater, kLedgerSchema);
  ready = database_.execute(script.c_str());
  if (!ready) rollback();
  return ready;
}

Result<void> Ledger::begin() {
  forget_transaction();
  return database_.run("BEGIN IMMEDIATE");
}

Result<void> Ledger::commit() {
  if (Result<void> written = write_pending(); !written) return written;
  forget_transaction();
  return database_.run("COMMIT");
}

// By execute(), which leaves failure_may_pass() as it is.
void Ledger::give_back_room() {
  (void)database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

// By execute(), which leaves failure_may_pass() as it is.
void Ledger::rollback() {
  troubled_.reset();
  forget_transaction();
  if (in_transaction()) (void)database_.execute("ROLLBACK");
}

Result<void> Ledger::apply(const StoreBatch &batch) {
  counter_undo_.clear();
  row_undo_.clear();
  attempt_undo_.clear();
  if (is_simple(batch)) return apply_simple(batch);
  // What other batches have left to be written must not be lost with this one.
  if (std::any_of(batch.begin(), batch.end(), concerns_job)) {
    if (Result<void> written = write_pending(); !written) {
      rollback();
      return written;
    }
    counters_.clear();
  }
  if (Result<void> begun = database_.run("SAVEPOINT batch"); !begun) return begun;
  Result<void> applied = for_all(batch, [this](const StoreStep &step) { return apply_step(step); });
  if (applied) applied = database_.run("RELEASE batch");
  if (applied) return applied;
  undo_pending();
  // A full disk may have ended the whole transaction already.
  const bool alone = in_transaction() && !failure_may_pass() && database_.execute("ROLLBACK TO batch; RELEASE batch");
  if (!alone) rollback();
  return applied;
}

// Without a savepoint: the one statement comes last.
Result<void> Ledger::apply_simple(const StoreBatch &batch) {
  Result<void> applied =
      for_all(batch, [this](const StoreStep &step) { return is_result(step) ? Result<void>{} : apply_step(step); });
  if (applied)
    applied =
        for_all(batch, [this](const StoreStep &step) { return is_result(step) ? apply_step(step) : Result<void>{}; });
  if (applied) return applied;
  undo_pending();
  if (!in_transaction() || failure_may_pass()) rollback();
  return applied;
}

Result<void> Ledger::apply_step(const StoreStep &step) {
  return std::visit(
      [this](const auto &each) -> Result<void> {
        using Step = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Step, DropAttempt>) {
          return {};  // nothing of it is in the ledger
        } else if constexpr (!kConcernsJob<Step>) {
          return apply_step(each);
        } else {
          if (Result<void> written = write_pending(); !written) return written;
          Result<void> applied = apply_step(each);
          keys_.clear();
          counters_.clear();
          return applied;
        }
      },
      step);
}

Result<std::int64_t> Ledger::key_of(const std::string &job) {
  if (const auto known = keys_.find(job); known != keys_.end()) return known->second;
  const Result<std::optional<std::int64_t>> key = database_.number("SELECT key FROM job WHERE name = ?", {job});
  if (!key) return tl::unexpected(key.error());
  if (!*key) return fail("ledger", "knows no job " + job);
  if (in_transaction()) keys_.emplace(job, **key);
  return **key;
}

Result<void> Ledger::put_row(std::int64_t key, const SliceRow &row) {
  return database_.run("INSERT OR REPLACE INTO slice VALUES (?, ?, ?, ?, ?, ?, ?)",
                       {key, row.begin, row.end, sql_number(row.state), sql_number(row.attempts),
                        sql_number(row.temporaries), row.reason});
}

Result<void> Ledger::apply_step(const PutRows &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  for (const RowDelta &delta : step.deltas) {
    if (delta.erase) change_row({*key, *delta.erase}, std::nullopt);
    if (delta.put) change_row({*key, delta.put->begin}, delta.put);
  }
  for (const Attempt &attempt : step.attempts) change_attempt({*key, attempt.seq}, attempt);
  return {};
}

Result<void> Ledger::apply_step(const PutUsage &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  return database_.run("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)",
                       {*key, step.usage.workers, microseconds(step.usage.cpu), step.usage.peak_bytes});
}

Result<void> Ledger::apply_step(const PutResult &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  return database_.run(
      "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET data = excluded.data",
      {*key, sql_number(step.merge), sql_number(step.input), step.begin, step.end, SqlBlob{step.data}});
}

Result<void> Ledger::apply_step(const AddCounters &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  return for_all(step.deltas, [&](const auto &counter) {
    return add_to({*key, step.merge, counter.first}, counter.second);
  });
}

Result<void> Ledger::apply_step(const MoveFiles &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  Result<void> done = database_.run(
      "INSERT INTO result VALUES (?, ?, ?, ?, ?, NULL, ?) ON CONFLICT DO UPDATE SET files = excluded.files",
      {*key, sql_number(step.merge), sql_number(step.input), step.begin, step.end, sql_number(step.files.size())});
  if (!done) return done;
  done = database_.run("INSERT OR REPLACE INTO move VALUES (?, ?, ?, ?, ?, ?, ?)",
                       {*key, sql_number(step.merge), sql_number(step.input), step.begin, step.slice.begin,
                        step.slice.end, step.attempt_dir});
  if (!done) return done;
  const Result<std::string> output = output_of(*key);
  if (!output) return tl::unexpected(output.error());
  return for_all(step.files, [&](const std::string &name) -> Result<void> {
    Result<void> put = database_.run("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)",
                                     {*key, sql_number(step.merge), sql_number(step.input), step.begin, name});
    if (!put) return put;
    // What a former job left to be removed there is now this one's.
    const std::string path = *output + "/" + output_path({step.merge, step.input, step.begin}, name);
    return database_.run("DELETE FROM removal WHERE path = ?", {path});
  });
}

Result<void> Ledger::apply_step(const SetHalt &step) {
  for (const char *sql : {"DELETE FROM stopped WHERE entry = ?", "DELETE FROM paused WHERE entry = ?"})
    if (Result<void> removed = database_.run(sql, {step.entry}); !removed) return removed;
  switch (step.halt) {
    case Halt::None: break;
    case Halt::Stopped: return database_.run("INSERT INTO stopped(entry) VALUES(?)", {step.entry});
    case Halt::Paused: return database_.run("INSERT INTO paused(entry) VALUES(?)", {step.entry});
  }
  return {};
}

Result<void> Ledger::apply_step(const SetJobState &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  const bool ended = step.state != JobState::Running;
  const Result<std::string> output = output_of(*key);
  if (!output) return tl::unexpected(output.error());
  for (const std::string_view name : {kSuccessFile, kOutputManifest}) {
    if (!ended) break;
    const std::string path = *output + "/" + std::string(name);
    if (Result<void> kept = database_.run("DELETE FROM removal WHERE path = ?", {path}); !kept) return kept;
  }
  return database_.run(
      "UPDATE job SET state = ?, reason = ?, ended_at = ?, output_told = ? WHERE key = ?",
      {sql_number(step.state), step.reason, ended ? now_unless(step.ended_at) : 0, sql_number(!ended), *key});
}

Result<std::string> Ledger::output_of(std::int64_t key) {
  std::string output;
  const Result<void> found =
      database_.each("SELECT output FROM job WHERE key = ?", {key}, [&](const SqlRow &row) -> Result<void> {
        output = row.text(0);
        return {};
      });
  if (!found) return tl::unexpected(found.error());
  return output;
}

Result<void> Ledger::move_finished(const MoveFiles &move) {
  const Result<std::optional<std::int64_t>> key = database_.number("SELECT key FROM job WHERE name = ?", {move.job});
  if (!key) return tl::unexpected(key.error());
  if (!*key) return {};  // the job is gone, and its moves with it
  if (Result<void> written = write_pending(); !written) return written;
  Result<void> settled = database_.run(
      "UPDATE slice SET state = ? WHERE job = ? AND begin = ? AND end = ? AND state = ?",
      {sql_number(SliceState::Done), **key, move.slice.begin, move.slice.end, sql_number(SliceState::Committing)});
  if (!settled) return settled;
  return database_.run("DELETE FROM move WHERE job = ? AND merge = ? AND input = ? AND begin = ?",
                       {**key, sql_number(move.merge), sql_number(move.input), move.begin});
}

Result<void> Ledger::removal_finished(const std::string &path) {
  return database_.run("DELETE FROM removal WHERE path = ?", {path});
}

Result<void> Ledger::output_finished(const std::string &job) {
  return database_.run("UPDATE job SET output_told = 1 WHERE name = ?", {job});
}

}  // namespace hostler
