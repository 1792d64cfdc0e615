// Reading what slices and merge() have left: results and files.
#include <utility>

#include "edge/ledger.h"

namespace hostler {
namespace {

constexpr std::size_t kResultsAtOnce = 1024;
constexpr std::size_t kBytesAtOnce = std::size_t{4} << 20;

OutputPlace place_of(const SqlRow &row, int column) {
  return {row.integer(column) != 0, static_cast<std::int32_t>(row.integer(column + 1)), row.integer(column + 2)};
}

}  // namespace

Result<std::optional<std::string>> Ledger::merge_result(const std::string &job) {
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  std::optional<std::string> found;
  const Result<void> read = database_.each("SELECT data FROM result WHERE job = ? AND merge = 1 AND data IS NOT NULL",
                                           {*key}, [&](const SqlRow &row) -> Result<void> {
                                             found = row.text(0);
                                             return {};
                                           });
  if (!read) return tl::unexpected(read.error());
  return found;
}

Result<void> Ledger::for_each_result(const std::string &job,
                                     const std::function<Result<void>(const StoredResult &)> &take) {
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  std::vector<OwnedResult> results;
  OutputPlace after{false, -1, 0};
  do {
    Result<void> read = read_results(*key, after, results);
    for (const OwnedResult &each : results) {
      if (!read) return read;
      StoredResult result{each.place, each.end, {}, {}};
      if (each.data) result.data = *each.data;
      if (each.files > 0) {
        Result<std::vector<std::string>> files = files_of(*key, each.place);
        if (!files) return tl::unexpected(files.error());
        result.files = std::move(*files);
      }
      read = take(result);
    }
    if (!read) return read;
    if (!results.empty()) after = results.back().place;
  } while (!results.empty());
  return {};
}

// The next ones behind a place, no more than are held in memory lightly; none at the end.
Result<void> Ledger::read_results(std::int64_t key, const OutputPlace &after, std::vector<OwnedResult> &results) {
  results.clear();
  std::size_t bytes = 0;
  bool full = false;
  const Result<void> read = database_.each(
      "SELECT merge, input, begin, end, data, files FROM result WHERE job = ? AND (merge, input, begin) > (?, ?, ?)"
      " ORDER BY merge, input, begin LIMIT ?",
      {key, std::int64_t{after.merge ? 1 : 0}, std::int64_t{after.input}, after.begin,
       static_cast<std::int64_t>(kResultsAtOnce)},
      [&](const SqlRow &row) -> Result<void> {
        full = bytes >= kBytesAtOnce;
        if (full) return fail({}, "enough");
        OwnedResult result{place_of(row, 0), row.integer(3), std::nullopt, row.integer(5)};
        if (!row.is_null(4)) result.data = row.text(4);
        bytes += result.data ? result.data->size() : 0;
        results.push_back(std::move(result));
        return {};
      });
  return full ? Result<void>{} : read;
}

Result<std::vector<std::string>> Ledger::files_of(std::int64_t key, const OutputPlace &place) {
  std::vector<std::string> files;
  const Result<void> read =
      database_.each("SELECT name FROM file WHERE job = ? AND merge = ? AND input = ? AND begin = ? ORDER BY name",
                     {key, std::int64_t{place.merge ? 1 : 0}, std::int64_t{place.input}, place.begin},
                     [&](const SqlRow &row) -> Result<void> {
                       files.push_back(row.text(0));
                       return {};
                     });
  if (!read) return tl::unexpected(read.error());
  return files;
}

Result<void> Ledger::for_each_file(
    const std::string &job, const std::function<Result<void>(const OutputPlace &, std::string_view name)> &take) {
  const Result<std::int64_t> key = key_of(job);
  if (!key) return tl::unexpected(key.error());
  return database_.each("SELECT merge, input, begin, name FROM file WHERE job = ? ORDER BY merge, input, begin, name",
                        {*key}, [&](const SqlRow &row) { return take(place_of(row, 0), row.bytes(3)); });
}

Result<bool> Ledger::has_files(const std::string &job) {
  const auto found = database_.number(
      "SELECT 1 FROM job WHERE name = ? AND EXISTS (SELECT 1 FROM file WHERE file.job = job.key)", {job});
  if (!found) return tl::unexpected(found.error());
  return found->has_value();
}

Result<bool> Ledger::owns_file(const std::string &job, const std::string &output, const OutputPlace &place,
                               std::string_view name) {
  const bool end_file = place.merge && (name == kOutputManifest || name == kSuccessFile);
  const Result<std::optional<std::int64_t>> found =
      end_file ? database_.number(
                     "SELECT 1 FROM job WHERE name = ? AND output = ?"
                     " AND EXISTS (SELECT 1 FROM file WHERE file.job = job.key)",
                     {job, output})
               : database_.number(
                     "SELECT 1 FROM job JOIN file ON file.job = job.key WHERE job.name = ?"
                     " AND output = ? AND merge = ? AND input = ? AND begin = ? AND file.name = ?",
                     {job, output, std::int64_t{place.merge ? 1 : 0}, std::int64_t{place.input}, place.begin, name});
  if (!found) return tl::unexpected(found.error());
  return found->has_value();
}

Result<std::vector<MoveFiles>> Ledger::pending_moves() {
  std::vector<MoveFiles> moves;
  const Result<void> read = database_.each(
      "SELECT merge, input, begin, slice_begin, slice_end, attempt_dir, job.name, job.key, result.end FROM move"
      " JOIN job ON job.key = move.job JOIN result USING (job, merge, input, begin) ORDER BY job.key, merge, input, "
      "begin",
      {}, [&](const SqlRow &row) -> Result<void> {
        MoveFiles move;
        move.committed = true;
        const OutputPlace place = place_of(row, 0);
        move.merge = place.merge;
        move.input = place.input;
        move.begin = place.begin;
        move.end = row.integer(8);
        move.slice = {row.integer(3), row.integer(4)};
        move.attempt_dir = row.text(5);
        move.job = row.text(6);
        Result<std::vector<std::string>> files = files_of(row.integer(7), place);
        if (!files) return tl::unexpected(files.error());
        move.files = std::move(*files);
        moves.push_back(std::move(move));
        return {};
      });
  if (!read) return tl::unexpected(read.error());
  return moves;
}

}  // namespace hostler
