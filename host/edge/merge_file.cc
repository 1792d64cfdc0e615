#include "edge/merge_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

#include "core/merge_input.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20;

class File {
 public:
  File(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<void> append(std::string_view bytes) {
    if (bytes.size() >= kBuffer) {
      if (Result<void> flushed = flush(); !flushed) return flushed;
      return write_out(bytes);
    }
    buffer_.append(bytes);
    return buffer_.size() < kBuffer ? Result<void>{} : flush();
  }

  Result<void> flush() {
    Result<void> written = write_out(buffer_);
    buffer_.clear();
    return written;
  }

  // The errno that a write failed with; 0: none did.
  [[nodiscard]] int number() const { return number_; }

 private:
  Result<void> write_out(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        auto failure = disk_failure(path_, "cannot be written");
        number_ = failure.value().number;
        return tl::unexpected(failure.value().error);
      }
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  UniqueFd fd_;
  std::string path_;
  std::string buffer_;
  int number_ = 0;
};

// Goes over the done rows once, giving out what lies between the results.
class DoneRows {
 public:
  DoneRows(const StoredJob &job, MergeInputWriter &writer) : plan_(job.manifest), rows_(job.rows), writer_(writer) {
    next_row();
  }

  // All up to the global position `to`, as ranges that left nothing, cut where inputs begin.
  Result<void> plain_until(std::int64_t to) {
    while (row_ < rows_.size() && at_ < to) {
      const std::int32_t input = plan_.input_at(at_);
      const std::int64_t end = std::min({to, rows_[row_].end, plan_.offset(input) + plan_.extent(input)});
      // Nothing is told of a row that a result has been told of to its end.
      if (end > at_) {
        const Interval local = plan_.local(input, {at_, end});
        MergeRange range;
        range.input = input;
        range.begin = local.begin;
        range.end = local.end;
        if (Result<void> written = writer_.committed(range); !written) return written;
      }
      go_to(end);
    }
    return {};
  }

  // Goes on behind what a result covers.
  void skip_to(std::int64_t to) {
    while (row_ < rows_.size() && at_ < to) go_to(std::min(to, rows_[row_].end));
  }

 private:
  void go_to(std::int64_t position) {
    at_ = position;
    if (at_ < rows_[row_].end) return;
    ++row_;
    next_row();
  }

  void next_row() {
    const auto done = [&](const SliceRow &row) {
      return (row.state == SliceState::Done || row.state == SliceState::Committing) && row.begin < plan_.positions();
    };
    while (row_ < rows_.size() && !done(rows_[row_])) ++row_;
    if (row_ < rows_.size()) at_ = rows_[row_].begin;
  }

  const Manifest &plan_;
  const std::vector<SliceRow> &rows_;
  MergeInputWriter &writer_;
  std::size_t row_ = 0;
  std::int64_t at_ = 0;
};

Result<void> write_committed(Ledger &ledger, const StoredJob &job, MergeInputWriter &writer) {
  const Manifest &plan = job.manifest;
  DoneRows rows(job, writer);
  const Result<void> results = ledger.for_each_result(job.name, [&](const StoredResult &result) -> Result<void> {
    if (result.place.merge) return {};  // of an earlier merge
    const std::int32_t input = result.place.input;
    if (input < 0 || static_cast<std::size_t>(input) >= plan.inputs().size())
      return fail("ledger", "has a result of an input that job " + job.name + " does not have");
    const std::int64_t shift = plan.offset(input) - plan.base();
    if (Result<void> before = rows.plain_until(result.place.begin + shift); !before) return before;
    MergeRange range;
    range.input = input;
    range.begin = result.place.begin;
    range.end = result.end;
    range.result = result.data;
    std::vector<std::string> paths;
    for (const std::string &name : result.files)
      paths.push_back(job.identity.output + "/" + output_path(result.place, name));
    for (const std::string &path : paths) range.files.push_back(path.c_str());
    if (Result<void> written = writer.committed(range); !written) return written;
    rows.skip_to(plan.kind() == InputKind::File ? plan.offset(input) + plan.extent(input) : result.end + shift);
    return {};
  });
  return results ? rows.plain_until(plan.positions()) : results;
}

// Goes over what is quarantined or isolated once, giving out those before a place.
class QuarantinedRows {
 public:
  QuarantinedRows(Ledger &ledger, const StoredJob &job, MergeInputWriter &writer)
      : ledger_(ledger), job_(job), writer_(writer) {}

  Result<void> before(std::int32_t input, std::int64_t begin) {
    for (; row_ < job_.rows.size() && job_.rows[row_].begin < job_.manifest.positions(); ++row_) {
      const SliceRow &row = job_.rows[row_];
      if (row.state != SliceState::Quarantined && row.state != SliceState::Isolated) continue;
      MergeRange range;
      range.input = job_.manifest.input_at(row.begin);
      const Interval local = job_.manifest.local(range.input, {row.begin, row.end});
      range.begin = local.begin;
      range.end = local.end;
      range.reason = row.reason.c_str();
      if (std::pair(range.input, range.begin) > std::pair(input, begin)) break;
      if (row.state == SliceState::Isolated) {
        const Result<std::optional<IsolatedRecord>> record = ledger_.isolated(job_.name, range.input, range.begin);
        if (!record) return tl::unexpected(record.error());
        if (*record) range.end = (*record)->at.end;
      }
      if (Result<void> written = writer_.quarantined(range); !written) return written;
    }
    return {};
  }
  Result<void> rest() {
    return before(std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int64_t>::max());
  }

 private:
  Ledger &ledger_;
  const StoredJob &job_;
  MergeInputWriter &writer_;
  std::size_t row_ = 0;
};

// Slices, and single records.
Result<void> write_quarantined(Ledger &ledger, const StoredJob &job, MergeInputWriter &writer) {
  QuarantinedRows rows(ledger, job, writer);
  const Result<void> records = ledger.for_each_aside(job.name, [&](std::int32_t input, const Aside &aside) {
    if (Result<void> before = rows.before(input, aside.begin); !before) return before;
    MergeRange range;
    range.input = input;
    range.begin = aside.begin;
    range.end = aside.end;
    range.reason = aside.reason.c_str();
    return writer.quarantined(range);
  });
  return records ? rows.rest() : records;
}

}  // namespace

DiskResult<void> write_merge_file(Ledger &ledger, const std::string &name, const std::string &path) {
  const auto of_ledger = [&ledger](const Error &error) {
    return tl::unexpected(DiskError{error, ledger.failure_may_pass() ? EIO : 0});
  };
  const Result<std::optional<StoredJob>> job = ledger.load_job(name);
  if (!job) return of_ledger(job.error());
  if (!*job) return disk_refusal({"ledger", "knows no job " + name, {}});
  const std::string draft = path + ".new";
  UniqueFd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return disk_failure(path, "cannot be made");
  File file(std::move(fd), path);
  MergeInputWriter writer([&](std::string_view bytes) { return file.append(bytes); });
  Result<void> written = write_committed(ledger, **job, writer);
  if (written) written = write_quarantined(ledger, **job, writer);
  for (const auto &[counter, total] : (*job)->counters)
    if (written) written = writer.counter(counter, total);
  if (written) written = writer.finish();
  if (written) written = file.flush();
  DiskResult<void> done;
  if (!written && file.number() == 0) done = of_ledger(written.error());
  if (!written && file.number() != 0) done = tl::unexpected(DiskError{written.error(), file.number()});
  if (written && ::rename(draft.c_str(), path.c_str()) != 0) done = disk_failure(path, "cannot be made");
  if (!done) ::unlink(draft.c_str());
  return done;
}

}  // namespace hostler
