// Segments of slices that have not ended.
#include <limits>
#include <memory>
#include <utility>

#include "edge/ledger.h"
#include "edge/ledger_steps.h"

namespace hostler {
namespace {

std::int64_t negated(std::int64_t value) {
  std::int64_t result = 0;
  return __builtin_sub_overflow(0, value, &result) ? std::numeric_limits<std::int64_t>::max() : result;
}

}  // namespace

Result<void> Ledger::apply_step(const PutCheckpoint &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  const Checkpoint &checkpoint = *step.checkpoint;
  const std::int64_t input = sql_number(step.input);
  Result<void> put = database_.run("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                                   {*key, input, step.begin, step.global, checkpoint.position, checkpoint.state_version,
                                    checkpoint.attempt_dir, SqlBlob{step.data}});
  if (!put) return put;
  put = for_all(checkpoint.counters, [&](const auto &counter) {
    return database_.run("INSERT OR REPLACE INTO checkpoint_counter VALUES (?, ?, ?, ?, ?)",
                         {*key, input, step.begin, counter.first, counter.second});
  });
  if (!put) return put;
  return for_all(checkpoint.files, [&](const OutputLength &file) {
    return database_.run("INSERT OR REPLACE INTO checkpoint_file VALUES (?, ?, ?, ?, ?)",
                         {*key, input, step.begin, file.name, file.size});
  });
}

Result<void> Ledger::apply_step(const EndCheckpoint &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  return end_checkpoint(*key, step.input, step.begin, step.take_back);
}

Result<void> Ledger::end_checkpoint(std::int64_t key, std::int32_t input, std::int64_t begin, bool take_back) {
  const std::int64_t in = sql_number(input);
  if (take_back) {
    Result<void> taken =
        database_.each("SELECT name, total FROM checkpoint_counter WHERE job = ? AND input = ? AND begin = ?",
                       {key, in, begin}, [&](const SqlRow &row) {
                         return add_to({key, false, row.text(0)}, negated(row.integer(1)));
                       });
    if (taken) taken = database_.run("DELETE FROM aside WHERE job = ? AND input = ? AND slice = ?", {key, in, begin});
    if (!taken) return taken;
  }
  for (const char *sql : {"DELETE FROM checkpoint WHERE job = ? AND input = ? AND begin = ?",
                          "DELETE FROM checkpoint_counter WHERE job = ? AND input = ? AND begin = ?",
                          "DELETE FROM checkpoint_file WHERE job = ? AND input = ? AND begin = ?"})
    if (Result<void> removed = database_.run(sql, {key, in, begin}); !removed) return removed;
  return {};
}

// The job has new rows, and its positions new numbers: what no row goes on with is taken back.
Result<void> Ledger::replan_checkpoints(std::int64_t key, const StoredJob &job) {
  std::map<std::pair<std::int32_t, std::int64_t>, const SliceRow *> kept;
  for (const SliceRow &row : job.rows) {
    if (!row.checkpoint) continue;
    const SliceSpan slice = job.manifest.slice_from(row.begin);
    kept.emplace(std::pair(slice.input, slice.begin), &row);
  }
  std::vector<std::pair<std::int32_t, std::int64_t>> all;
  Result<void> done = database_.each("SELECT input, begin FROM checkpoint WHERE job = ?", {key},
                                     [&](const SqlRow &row) -> Result<void> {
                                       all.emplace_back(static_cast<std::int32_t>(row.integer(0)), row.integer(1));
                                       return {};
                                     });
  if (!done) return done;
  done = for_all(all, [&](const auto &place) -> Result<void> {
    const auto at = kept.find(place);
    if (at == kept.end()) return end_checkpoint(key, place.first, place.second, true);
    return database_.run(
        "UPDATE checkpoint SET slice = ?, position = ? WHERE job = ? AND input = ? AND begin = ?",
        {at->second->begin, at->second->checkpoint->position, key, sql_number(place.first), place.second});
  });
  return done ? write_pending() : done;
}

Result<bool> Ledger::has_checkpoints() {
  const auto found = database_.number("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'aside'");
  if (!found) return tl::unexpected(found.error());
  return found->has_value();
}

Result<Ledger::Checkpoints> Ledger::load_checkpoints(std::int64_t key) {
  Checkpoints found;
  const Result<bool> has = has_checkpoints();
  if (!has) return tl::unexpected(has.error());
  if (!*has) return found;
  std::map<std::pair<std::int64_t, std::int64_t>, std::shared_ptr<Checkpoint>> by_place;
  const auto place_of = [](const SqlRow &row) { return std::pair(row.integer(0), row.integer(1)); };
  Result<void> read =
      database_.each("SELECT input, begin, slice, position, state_version, attempt_dir FROM checkpoint WHERE job = ?",
                     {key}, [&](const SqlRow &row) -> Result<void> {
                       auto checkpoint = std::make_shared<Checkpoint>();
                       checkpoint->position = row.integer(3);
                       checkpoint->state_version = row.integer(4);
                       checkpoint->attempt_dir = row.text(5);
                       by_place[place_of(row)] = checkpoint;
                       found[row.integer(2)] = std::move(checkpoint);
                       return {};
                     });
  if (read && !by_place.empty())
    read = database_.each("SELECT input, begin, name, total FROM checkpoint_counter WHERE job = ?", {key},
                          [&](const SqlRow &row) -> Result<void> {
                            if (const auto at = by_place.find(place_of(row)); at != by_place.end())
                              at->second->counters[row.text(2)] = row.integer(3);
                            return {};
                          });
  if (read && !by_place.empty())
    read = database_.each("SELECT input, begin, name, size FROM checkpoint_file WHERE job = ? ORDER BY name", {key},
                          [&](const SqlRow &row) -> Result<void> {
                            if (const auto at = by_place.find(place_of(row)); at != by_place.end())
                              at->second->files.push_back({row.text(2), row.integer(3)});
                            return {};
                          });
  for (auto &[place, checkpoint] : by_place) {
    if (!read) break;
    Result<Skipped> skipped = count_aside(key, place);
    if (!skipped) return tl::unexpected(skipped.error());
    checkpoint->skipped = *skipped;
  }
  if (!read) return tl::unexpected(read.error());
  return found;
}

Result<std::optional<std::string>> Ledger::checkpoint_data(const std::string &job, std::int32_t input,
                                                           std::int64_t begin) {
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  std::optional<std::string> data;
  const Result<void> read = database_.each("SELECT data FROM checkpoint WHERE job = ? AND input = ? AND begin = ?",
                                           {*key, sql_number(input), begin}, [&](const SqlRow &row) -> Result<void> {
                                             data = row.text(0);
                                             return {};
                                           });
  if (!read) return tl::unexpected(read.error());
  return data;
}

}  // namespace hostler
