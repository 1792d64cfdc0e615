// Reading the ledger: jobs and their rows. What slices left is in ledger_results.cc.
#include <utility>

#include "edge/ledger.h"

namespace hostler {
namespace {

template <typename Checkpoints>
SliceRow row_of(const SqlRow &row, const Checkpoints &checkpoints) {
  SliceRow read{row.integer(0),
                row.integer(1),
                static_cast<SliceState>(row.integer(2)),
                static_cast<std::int32_t>(row.integer(3)),
                static_cast<std::int32_t>(row.integer(4)),
                row.text(5),
                nullptr,
                {}};
  if (const auto at = checkpoints.find(read.begin); at != checkpoints.end()) read.checkpoint = at->second;
  return read;
}

constexpr std::size_t kRowsAtOnce = 1024;

}  // namespace

Result<std::vector<std::string>> Ledger::job_names() {
  std::vector<std::string> names;
  const Result<void> read =
      database_.each("SELECT name FROM job ORDER BY key", {}, [&](const SqlRow &row) -> Result<void> {
        names.push_back(row.text(0));
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return names;
}

Result<std::map<std::string, Halt>> Ledger::halted_entries() {
  std::map<std::string, Halt> halted;
  const auto read = [&](const char *sql, Halt halt) {
    return database_.each(sql, {}, [&](const SqlRow &row) -> Result<void> {
      halted[row.text(0)] = halt;
      return {};
    });
  };
  Result<void> done = read("SELECT entry FROM paused", Halt::Paused);
  if (done) done = read("SELECT entry FROM stopped", Halt::Stopped);
  if (!done) return tl::unexpected(done.error());
  return halted;
}

Result<std::vector<StoredJob>> Ledger::load_jobs() {
  const Result<std::vector<std::string>> names = job_names();
  if (!names) return tl::unexpected(names.error());
  std::vector<StoredJob> jobs;
  for (const std::string &name : *names) {
    Result<std::optional<StoredJob>> job = load_job(name);
    if (!job) return tl::unexpected(job.error());
    if (*job) jobs.push_back(std::move(**job));
  }
  return jobs;
}

Result<std::optional<StoredJob>> Ledger::load_job(const std::string &name) {
  return load(name, true);
}

Result<std::optional<StoredJob>> Ledger::load_plan(const std::string &name) {
  return load(name, false);
}

Result<std::optional<StoredJob>> Ledger::load(const std::string &name, bool with_rows) {
  std::optional<StoredJob> found;
  const Result<void> read = database_.each(
      "SELECT key, id, output, kind, slice_size, unit, base, input_slice, record_size, range_begin, range_end,"
      " items_file, state, reason, created_at, ended_at FROM job WHERE name = ?",
      {name}, [&](const SqlRow &row) -> Result<void> {
        StoredJob job;
        job.name = name;
        job.id = row.text(1);
        job.identity.output = row.text(2);
        InputConfig &input = job.identity.input;
        input.kind = static_cast<InputKind>(row.integer(3));
        input.slice = row.integer(7);
        input.record_size = row.integer(8);
        input.begin = row.integer(9);
        input.end = row.integer(10);
        input.items_file = row.text(11);
        job.state = static_cast<JobState>(row.integer(12));
        job.reason = row.text(13);
        job.created_at = row.integer(14);
        job.ended_at = row.integer(15);
        Result<Manifest> plan =
            load_manifest(row.integer(0), input.kind, row.integer(4), row.integer(5), row.integer(6));
        if (!plan) return tl::unexpected(plan.error());
        job.manifest = std::move(*plan);
        if (Result<void> details = load_details(row.integer(0), job); !details) return details;
        if (Result<void> account = load_account(row.integer(0), job); !account) return account;
        if (with_rows)
          if (Result<void> rows = load_rows(row.integer(0), job); !rows) return rows;
        found = std::move(job);
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return found;
}

Result<Manifest> Ledger::load_manifest(std::int64_t key, InputKind kind, std::int64_t slice_size, std::int64_t unit,
                                       std::int64_t base) {
  std::vector<Input> inputs;
  Result<void> read = database_.each(
      "SELECT path, size, mtime_ns, device, inode FROM input WHERE job = ? ORDER BY ordinal", {key},
      [&](const SqlRow &row) -> Result<void> {
        inputs.push_back({row.text(0), row.integer(1), row.integer(2), static_cast<std::uint64_t>(row.integer(3)),
                          static_cast<std::uint64_t>(row.integer(4))});
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  std::vector<std::string> items;
  read = database_.each("SELECT item FROM item WHERE job = ? ORDER BY ordinal", {key},
                        [&](const SqlRow &row) -> Result<void> {
                          items.push_back(row.text(0));
                          return {};
                        });
  if (!read) return tl::unexpected(read.error());
  return Manifest(kind, std::move(inputs), slice_size, unit, base, std::move(items), 1);
}

Result<void> Ledger::load_rows(std::int64_t key, StoredJob &job) {
  const Result<std::map<std::int64_t, Trouble>> trouble = load_trouble(key);
  if (!trouble) return tl::unexpected(trouble.error());
  const Result<Checkpoints> checkpoints = load_checkpoints(key);
  if (!checkpoints) return tl::unexpected(checkpoints.error());
  return database_.each(
      "SELECT begin, end, state, attempts, temporaries, reason FROM slice WHERE job = ? ORDER BY begin", {key},
      [&](const SqlRow &row) -> Result<void> {
        job.rows.push_back(row_of(row, *checkpoints));
        if (const auto at = trouble->find(row.integer(0)); at != trouble->end()) job.rows.back().trouble = at->second;
        return {};
      });
}

Result<void> Ledger::load_details(std::int64_t key, StoredJob &job) {
  Result<void> read =
      database_.each("SELECT name, value FROM param WHERE job = ?", {key}, [&](const SqlRow &row) -> Result<void> {
        job.identity.params.emplace(row.text(0), row.text(1));
        return {};
      });
  if (!read) return read;
  const Result<bool> has_aside = has_checkpoints();
  if (!has_aside) return tl::unexpected(has_aside.error());
  if (*has_aside) {
    const Result<Skipped> skipped = count_aside(key, std::nullopt);
    if (!skipped) return tl::unexpected(skipped.error());
    job.skipped = *skipped;
  }
  return database_.each("SELECT name, total, merge FROM counter WHERE job = ?", {key},
                        [&](const SqlRow &row) -> Result<void> {
                          std::int64_t &total = job.counters[row.text(0)];
                          total = saturating_add(total, row.integer(1));
                          if (row.integer(2) != 0) job.merge_counters[row.text(0)] = row.integer(1);
                          return {};
                        });
}

Result<void> Ledger::for_each_row(const std::string &job, const TakeRow &take) {
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  const Result<Checkpoints> checkpoints = load_checkpoints(*key);
  if (!checkpoints) return tl::unexpected(checkpoints.error());
  std::int64_t from = 0;
  std::vector<SliceRow> rows;
  do {
    rows.clear();
    Result<void> done = database_.each(
        "SELECT begin, end, state, attempts, temporaries, reason FROM slice WHERE job = ? AND begin >= ? ORDER BY begin"
        " LIMIT ?",
        {*key, from, static_cast<std::int64_t>(kRowsAtOnce)}, [&](const SqlRow &row) -> Result<void> {
          rows.push_back(row_of(row, *checkpoints));
          return {};
        });
    for (const SliceRow &row : rows)
      if (done) done = take(row);
    if (!done) return done;
    // By its end: meanwhile a row may have become part of one that begins before.
    if (!rows.empty()) from = rows.back().end;
  } while (rows.size() == kRowsAtOnce);
  return {};
}

Result<std::vector<std::string>> Ledger::pending_removals() {
  std::vector<std::string> paths;
  const Result<void> read = database_.each("SELECT path FROM removal", {}, [&](const SqlRow &row) -> Result<void> {
    paths.push_back(row.text(0));
    return {};
  });
  if (!read) return tl::unexpected(read.error());
  return paths;
}

Result<std::vector<std::string>> Ledger::unfinished_outputs() {
  std::vector<std::string> names;
  const Result<void> read =
      database_.each("SELECT name FROM job WHERE output_told = 0", {}, [&](const SqlRow &row) -> Result<void> {
        names.push_back(row.text(0));
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return names;
}

}  // namespace hostler
