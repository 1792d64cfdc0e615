// Jobs come into the ledger, are planned anew, and leave it.
#include <utility>

#include "edge/ledger.h"
#include "edge/ledger_steps.h"

namespace hostler {

Result<void> Ledger::apply_step(const CreateJob &step) {
  const StoredJob &job = *step.job;
  const Result<std::optional<std::int64_t>> old = database_.number("SELECT key FROM job WHERE name = ?", {job.name});
  if (!old) return tl::unexpected(old.error());
  if (*old)
    if (Result<void> removed = remove_job(**old); !removed) return removed;
  const InputConfig &input = job.identity.input;
  Result<void> inserted = database_.run(
      "INSERT INTO job(name, id, output, kind, slice_size, unit, base, input_slice, record_size, range_begin, "
      "range_end,"
      " items_file, state, reason, created_at, ended_at) VALUES (?, ?, ?, 0, 0, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {job.name, job.id, job.identity.output, input.slice, input.record_size, input.begin, input.end, input.items_file,
       sql_number(job.state), job.reason, now_unless(job.created_at), job.ended_at});
  if (!inserted) return inserted;
  const Result<std::int64_t> key = key_of(job.name);
  if (!key) return tl::unexpected(key.error());
  if (Result<void> planned = insert_plan(*key, job); !planned) return planned;
  return for_all(job.counters, [&](const auto &counter) {
    return database_.run("INSERT INTO counter VALUES (?, 0, ?, ?)", {*key, counter.first, counter.second});
  });
}

Result<void> Ledger::apply_step(const ReplanJob &step) {
  const StoredJob &job = *step.job;
  const Result<std::int64_t> key = key_of(job.name);
  if (!key) return tl::unexpected(key.error());
  if (Result<void> removed = remove_merge(*key); !removed) return removed;
  if (Result<void> removed = remove_plan(*key); !removed) return removed;
  if (Result<void> replanned = replan_checkpoints(*key, job); !replanned) return replanned;
  const InputConfig &input = job.identity.input;
  Result<void> updated = database_.run(
      "UPDATE job SET output = ?, input_slice = ?, record_size = ?, range_begin = ?, range_end = ?, items_file = ?,"
      " state = ?, reason = ?, ended_at = ?, output_told = 1 WHERE key = ?",
      {job.identity.output, input.slice, input.record_size, input.begin, input.end, input.items_file,
       sql_number(job.state), job.reason, job.ended_at, *key});
  if (!updated) return updated;
  return insert_plan(*key, job);
}

Result<void> Ledger::apply_step(const ReopenJob &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  if (Result<void> removed = remove_merge(*key); !removed) return removed;
  return database_.run("UPDATE job SET state = ?, reason = '', ended_at = 0, output_told = 1 WHERE key = ?",
                       {sql_number(JobState::Running), *key});
}

Result<void> Ledger::insert_plan(std::int64_t key, const StoredJob &job) {
  const Manifest &plan = job.manifest;
  Result<void> updated =
      database_.run("UPDATE job SET kind = ?, slice_size = ?, unit = ?, base = ? WHERE key = ?",
                    {sql_number(job.identity.input.kind), plan.slice_size(), plan.unit(), plan.base(), key});
  if (!updated) return updated;
  std::int64_t ordinal = 0;
  Result<void> inputs = for_all(plan.inputs(), [&](const Input &input) {
    return database_.run(
        "INSERT INTO input VALUES (?, ?, ?, ?, ?, ?, ?)",
        {key, ordinal++, input.path, input.size, input.mtime_ns, sql_number(input.device), sql_number(input.inode)});
  });
  if (!inputs) return inputs;
  ordinal = 0;
  Result<void> items = for_all(plan.items(), [&](const std::string &item) {
    return database_.run("INSERT INTO item VALUES (?, ?, ?)", {key, ordinal++, item});
  });
  if (!items) return items;
  Result<void> params = for_all(job.identity.params, [&](const auto &param) {
    return database_.run("INSERT INTO param VALUES (?, ?, ?)", {key, param.first, param.second});
  });
  if (!params) return params;
  return for_all(job.rows, [&](const SliceRow &row) -> Result<void> {
    Result<void> put = put_row(key, row);
    return put ? put_trouble({key, row.begin}, row.trouble) : put;
  });
}

Result<void> Ledger::remove_job(std::int64_t key) {
  const Result<std::string> output = output_of(key);
  if (!output) return tl::unexpected(output.error());
  if (Result<void> removed = remove_files(key, *output, false); !removed) return removed;
  if (Result<void> removed = remove_plan(key); !removed) return removed;
  for (const char *sql :
       {"DELETE FROM result WHERE job = ?", "DELETE FROM counter WHERE job = ?", "DELETE FROM file WHERE job = ?",
        "DELETE FROM move WHERE job = ?", "DELETE FROM attempt WHERE job = ?", "DELETE FROM usage WHERE job = ?",
        "DELETE FROM isolated WHERE job = ?", "DELETE FROM checkpoint WHERE job = ?",
        "DELETE FROM checkpoint_counter WHERE job = ?", "DELETE FROM checkpoint_file WHERE job = ?",
        "DELETE FROM aside WHERE job = ?", "DELETE FROM job WHERE key = ?"})
    if (Result<void> removed = database_.run(sql, {key}); !removed) return removed;
  return {};
}

Result<void> Ledger::remove_plan(std::int64_t key) {
  for (const char *sql : {"DELETE FROM input WHERE job = ?", "DELETE FROM item WHERE job = ?",
                          "DELETE FROM param WHERE job = ?", "DELETE FROM slice WHERE job = ?"})
    if (Result<void> removed = database_.run(sql, {key}); !removed) return removed;
  return remove_trouble(key);
}

Result<void> Ledger::remove_merge(std::int64_t key) {
  const Result<std::string> output = output_of(key);
  if (!output) return tl::unexpected(output.error());
  if (Result<void> removed = remove_files(key, *output, true); !removed) return removed;
  for (const char *sql :
       {"DELETE FROM result WHERE job = ? AND merge = 1", "DELETE FROM counter WHERE job = ? AND merge = 1",
        "DELETE FROM file WHERE job = ? AND merge = 1", "DELETE FROM move WHERE job = ? AND merge = 1"})
    if (Result<void> removed = database_.run(sql, {key}); !removed) return removed;
  return {};
}

// Notes the files for removal, and what the end of the job put beside them.
Result<void> Ledger::remove_files(std::int64_t key, const std::string &output, bool only_merge) {
  const auto remove = [&](std::string_view path) {
    return database_.run("INSERT OR IGNORE INTO removal VALUES (?)", {output + "/" + std::string(path)});
  };
  bool any = false;
  Result<void> removed = database_.each(
      "SELECT merge, input, begin, name FROM file WHERE job = ?", {key}, [&](const SqlRow &row) -> Result<void> {
        any = true;
        const OutputPlace place{row.integer(0) != 0, static_cast<std::int32_t>(row.integer(1)), row.integer(2)};
        return only_merge && !place.merge ? Result<void>{} : remove(output_path(place, row.bytes(3)));
      });
  if (!removed || !any) return removed;
  if (Result<void> success = remove(kSuccessFile); !success) return success;
  return remove(kOutputManifest);
}

}  // namespace hostler
