// What rows remember of crashes: few do, so it is in a table of its own, and nobody else pays for it. And what is known of
// records that were isolated.
#include <utility>

#include "edge/ledger.h"
#include "edge/ledger_steps.h"

namespace hostler {

Result<void> Ledger::recall_troubled() {
  if (troubled_) return {};
  std::set<RowKey> found;
  Result<void> read = database_.each("SELECT job, begin FROM trouble", {}, [&](const SqlRow &row) -> Result<void> {
    found.emplace(row.integer(0), row.integer(1));
    return {};
  });
  if (read) troubled_ = std::move(found);
  return read;
}

Result<void> Ledger::put_trouble(const std::pair<std::int64_t, std::int64_t> &at, const Trouble &trouble) {
  if (Result<void> recalled = recall_troubled(); !recalled) return recalled;
  if (trouble.any()) {
    troubled_->insert(at);
    return database_.run("INSERT OR REPLACE INTO trouble VALUES (?, ?, ?)", {at.first, at.second, encode(trouble)});
  }
  if (troubled_->erase(at) == 0) return {};
  return database_.run("DELETE FROM trouble WHERE job = ? AND begin = ?", {at.first, at.second});
}

Result<void> Ledger::remove_trouble(std::int64_t key) {
  troubled_.reset();
  return database_.run("DELETE FROM trouble WHERE job = ?", {key});
}

Result<std::map<std::int64_t, Trouble>> Ledger::load_trouble(std::int64_t key) {
  std::map<std::int64_t, Trouble> found;
  const Result<bool> known = has_table("trouble");
  if (!known) return tl::unexpected(known.error());
  if (!*known) return found;
  const Result<void> read =
      database_.each("SELECT begin, text FROM trouble WHERE job = ?", {key}, [&](const SqlRow &row) -> Result<void> {
        found.emplace(row.integer(0), decode_trouble(row.text(1)));
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return found;
}

// Of a ledger that no host has opened since it got the table: read-only it stays without.
Result<bool> Ledger::has_table(const char *name) {
  const auto known = database_.number("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", {name});
  if (!known) return tl::unexpected(known.error());
  return known->has_value();
}

Result<void> Ledger::apply_step(const PutIsolated &step) {
  const Result<std::int64_t> key = key_of(step.job);
  if (!key) return tl::unexpected(key.error());
  const IsolatedRecord &record = step.record;
  if (record.bytes) {
    Result<void> put =
        database_.run("INSERT OR REPLACE INTO isolated VALUES (?, ?, ?, ?, ?, NULL)",
                      {*key, sql_number(record.input), record.at.begin, record.at.end, SqlBlob{*record.bytes}});
    if (!put) return put;
  }
  if (!record.backtrace) return {};
  return database_.run("UPDATE isolated SET backtrace = ? WHERE job = ? AND input = ? AND begin = ?",
                       {*record.backtrace, *key, sql_number(record.input), record.at.begin});
}

Result<std::optional<IsolatedRecord>> Ledger::isolated(const std::string &job, std::int32_t input, std::int64_t begin) {
  std::optional<IsolatedRecord> found;
  const Result<bool> known = has_table("isolated");
  if (!known) return tl::unexpected(known.error());
  if (!*known) return found;
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  const Result<void> read =
      database_.each("SELECT end, bytes, backtrace FROM isolated WHERE job = ? AND input = ? AND begin = ?",
                     {*key, sql_number(input), begin}, [&](const SqlRow &row) -> Result<void> {
                       found = IsolatedRecord{input, {begin, row.integer(0)}, std::string(row.bytes(1)), row.text(2)};
                       return {};
                     });
  if (!read) return tl::unexpected(read.error());
  return found;
}

}  // namespace hostler
