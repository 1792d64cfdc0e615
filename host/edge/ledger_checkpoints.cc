// Segments of slices that have not ended, and records that were put aside.
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

constexpr std::size_t kAsidesAtOnce = 256;

}  // namespace

Result<void> Ledger::apply_step(const PutAside &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  return for_all(step.records, [&](const Aside &record) {
    return database_.run(
        "INSERT OR REPLACE INTO aside VALUES (?, ?, ?, ?, ?, ?, ?)",
        {*key, sql_number(step.input), record.begin, record.end, step.begin, SqlBlob{record.bytes}, record.reason});
  });
}

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

// Of one slice, or of the whole job.
Result<Skipped> Ledger::count_aside(std::int64_t key, std::optional<std::pair<std::int64_t, std::int64_t>> slice) {
  Skipped counted;
  const auto take = [&](const SqlRow &row) -> Result<void> {
    counted = {row.integer(0), row.integer(1)};
    return {};
  };
  // Of what has a size of its own (numbers, records, items) a record put aside may be several: core/segment, count_of().
  const Result<void> read =
      slice
          ? database_.each(
                "SELECT IFNULL(SUM(CASE WHEN kind IN (1, 3, 5) THEN (aside.end - aside.begin + unit - 1) / unit ELSE 1"
                " END), 0), IFNULL(SUM(aside.end - aside.begin), 0) FROM aside JOIN job ON job.key = aside.job"
                " WHERE aside.job = ? AND input = ? AND slice = ?",
                {key, slice->first, slice->second}, take)
          : database_.each(
                "SELECT IFNULL(SUM(CASE WHEN kind IN (1, 3, 5) THEN (aside.end - aside.begin + unit - 1) / unit ELSE 1"
                " END), 0), IFNULL(SUM(aside.end - aside.begin), 0) FROM aside JOIN job ON job.key = aside.job"
                " WHERE aside.job = ?",
                {key}, take);
  if (!read) return tl::unexpected(read.error());
  return counted;
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

Result<void> Ledger::for_each_aside(const std::string &job, const TakeAside &take) {
  const Result<bool> has = has_checkpoints();
  if (!has) return tl::unexpected(has.error());
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  if (!*has) return {};
  std::pair<std::int64_t, std::int64_t> after{-1, -1};
  std::vector<std::pair<std::int32_t, Aside>> records;
  do {
    records.clear();
    Result<void> done = database_.each(
        "SELECT input, begin, end, bytes, reason FROM aside WHERE job = ? AND (input, begin) > (?, ?)"
        " ORDER BY input, begin LIMIT ?",
        {*key, after.first, after.second, static_cast<std::int64_t>(kAsidesAtOnce)},
        [&](const SqlRow &row) -> Result<void> {
          records.emplace_back(static_cast<std::int32_t>(row.integer(0)),
                               Aside{row.integer(1), row.integer(2), row.text(3), row.text(4)});
          return {};
        });
    for (const auto &[input, record] : records)
      if (done) done = take(input, record);
    if (!done) return done;
    if (!records.empty()) after = {records.back().first, records.back().second.begin};
  } while (records.size() == kAsidesAtOnce);
  return {};
}

}  // namespace hostler
