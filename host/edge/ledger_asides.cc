// Records that were put aside: by segments of slices that have not ended (ledger_checkpoints.cc), and by what is done.
#include <optional>
#include <utility>

#include "edge/ledger.h"
#include "edge/ledger_steps.h"

namespace hostler {
namespace {

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
