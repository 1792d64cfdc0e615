// The lines of attempts, and what workers have cost: written with the rows of slices, read for joblog and the report.
#include <utility>

#include "core/plan.h"
#include "edge/ledger.h"
#include "edge/ledger_steps.h"

namespace hostler {
namespace {

constexpr std::int64_t kMergeInput = -1;  // as an input
constexpr std::string_view kDoneWord = "done";
constexpr std::size_t kAttemptsAtOnce = 1024;

constexpr const char *kAll =
    "SELECT seq, input, begin, last_input, end, slices, positions, attempt, verdict, code, signal, worker, began_at,"
    " took_us, reason, hash, library FROM attempt JOIN build ON build.id = attempt.build"
    " WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?";
// Left to itself SQLite would rather go through all attempts than sort a few.
constexpr const char *kLastFailure =
    "SELECT seq, input, begin, last_input, end, slices, positions, attempt, verdict, code, signal, worker, began_at,"
    " took_us, reason, hash, library FROM attempt INDEXED BY attempt_failed JOIN build ON build.id = attempt.build"
    " WHERE job = ? AND verdict <> '' AND input = ? AND begin = ? ORDER BY seq DESC LIMIT 1";

Attempt attempt_of(const SqlRow &row) {
  Attempt attempt;
  attempt.seq = row.integer(0);
  attempt.range.merge = row.integer(1) == kMergeInput;
  if (!attempt.range.merge) {
    attempt.range.input = static_cast<std::int32_t>(row.integer(1));
    attempt.range.begin = row.integer(2);
    attempt.range.last_input = static_cast<std::int32_t>(row.integer(3));
    attempt.range.end = row.integer(4);
    attempt.range.slices = row.integer(5);
    attempt.range.positions = row.integer(6);
  }
  attempt.attempt = static_cast<std::int32_t>(row.integer(7));
  attempt.verdict = row.bytes(8).empty() ? std::string(kDoneWord) : row.text(8);
  attempt.code = static_cast<std::int32_t>(row.integer(9));
  attempt.signal = static_cast<std::int32_t>(row.integer(10));
  attempt.worker = static_cast<std::int32_t>(row.integer(11));
  attempt.began_at = row.integer(12);
  attempt.took = std::chrono::microseconds(row.integer(13));
  attempt.reason = row.text(14);
  Build build;
  build.hash = row.text(15);
  build.library = row.text(16);
  attempt.build = std::make_shared<const Build>(std::move(build));
  return attempt;
}

// The wall clock may have been set since.
UnixMilliseconds began_at(const Attempt &attempt) {
  if (attempt.began_at != 0) return attempt.began_at;
  const auto ago = std::chrono::steady_clock::now() - attempt.began;
  const auto at = std::chrono::system_clock::now() - ago;
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

}  // namespace

Result<std::int64_t> Ledger::build_id(const Build &build) {
  const auto known = builds_.find(build.hash + build.library);
  if (known != builds_.end()) return known->second;
  Result<void> put =
      database_.run("INSERT OR IGNORE INTO build(hash, library) VALUES (?, ?)", {build.hash, build.library});
  if (!put) return tl::unexpected(put.error());
  const Result<std::optional<std::int64_t>> id =
      database_.number("SELECT id FROM build WHERE hash = ? AND library = ?", {build.hash, build.library});
  if (!id) return tl::unexpected(id.error());
  builds_.emplace(build.hash + build.library, **id);
  return **id;
}

Result<void> Ledger::put_attempt(std::int64_t key, const Attempt &attempt) {
  const Result<std::int64_t> build = build_id(attempt.build ? *attempt.build : Build{});
  if (!build) return tl::unexpected(build.error());
  const SliceRange &range = attempt.range;
  const std::string_view verdict =
      attempt.verdict == kDoneWord ? std::string_view() : std::string_view(attempt.verdict);
  return database_.run(
      "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {key, attempt.seq, range.merge ? kMergeInput : std::int64_t{range.input}, range.begin,
       sql_number(range.last_input), range.end, range.slices, range.positions, sql_number(attempt.attempt), verdict,
       sql_number(attempt.code), sql_number(attempt.signal), sql_number(attempt.worker), *build, began_at(attempt),
       microseconds(attempt.took), attempt.reason});
}

Result<bool> Ledger::has_attempts() {
  const auto found = database_.number("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'attempt'");
  if (!found) return tl::unexpected(found.error());
  return found->has_value();
}

Result<void> Ledger::load_account(std::int64_t key, StoredJob &job) {
  const Result<bool> has = has_attempts();
  if (!has) return tl::unexpected(has.error());
  if (!*has) return {};
  const auto last = database_.number("SELECT max(seq) FROM attempt WHERE job = ?", {key});
  if (!last) return tl::unexpected(last.error());
  job.attempts_noted = last->value_or(0);
  Result<void> build =
      database_.each("SELECT hash FROM attempt JOIN build ON build.id = attempt.build WHERE job = ? AND seq = ?",
                     {key, job.attempts_noted}, [&](const SqlRow &row) -> Result<void> {
                       job.last_build = row.text(0);
                       return {};
                     });
  if (!build) return build;
  Result<void> proven = database_.each(
      "SELECT DISTINCT hash FROM attempt JOIN build ON build.id = attempt.build WHERE job = ? AND verdict = ''", {key},
      [&](const SqlRow &row) -> Result<void> {
        job.proven_builds.insert(std::string(row.text(0)));
        return {};
      });
  if (!proven) return proven;
  return database_.each("SELECT workers, cpu_us, peak_bytes FROM usage WHERE job = ?", {key},
                        [&](const SqlRow &row) -> Result<void> {
                          job.usage = {row.integer(0), std::chrono::microseconds(row.integer(1)), row.integer(2)};
                          return {};
                        });
}

Result<void> Ledger::for_each_attempt(const std::string &job, const TakeAttempt &take) {
  const Result<bool> has = has_attempts();
  if (!has) return tl::unexpected(has.error());
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  if (!*has) return {};
  std::int64_t after = 0;
  std::vector<Attempt> attempts;
  do {
    attempts.clear();
    Result<void> done = database_.each(kAll, {*key, after, static_cast<std::int64_t>(kAttemptsAtOnce)},
                                       [&](const SqlRow &row) -> Result<void> {
                                         attempts.push_back(attempt_of(row));
                                         return {};
                                       });
    for (const Attempt &attempt : attempts)
      if (done) done = take(attempt);
    if (!done) return done;
    if (!attempts.empty()) after = attempts.back().seq;
  } while (attempts.size() == kAttemptsAtOnce);
  return {};
}

Result<std::optional<Attempt>> Ledger::last_failure(const std::string &job, const SliceRange &range) {
  const Result<bool> has = has_attempts();
  if (!has) return tl::unexpected(has.error());
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  std::optional<Attempt> found;
  if (!*has) return found;
  const Result<void> read =
      database_.each(kLastFailure, {*key, range.merge ? kMergeInput : std::int64_t{range.input}, range.begin},
                     [&](const SqlRow &row) -> Result<void> {
                       found = attempt_of(row);
                       return {};
                     });
  if (!read) return tl::unexpected(read.error());
  return found;
}

}  // namespace hostler
