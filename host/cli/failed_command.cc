// failed: what a job has given up, slices and single records, and why.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/job_ledger.h"
#include "cli/say.h"
#include "core/plain_text.h"
#include "core/slice_range.h"
#include "edge/status_json.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr std::size_t kMostShown = 60;  // bytes of a record, on a terminal

// The number of the line that a position lies in, from 1 on; positions of one file come in order, so it is read once or twice.
class LineCounter {
 public:
  // 0: it cannot be told, as the file is not as the job has read it.
  std::int64_t line_at(const Input &input, std::int64_t position) {
    if (path_ != input.path || position < at_) open(input);
    if (!file_) return 0;
    std::array<char, std::size_t{64} << 10> piece;
    while (at_ < position) {
      const auto wanted = std::min<std::int64_t>(position - at_, std::ssize(piece));
      const ssize_t got = ::pread(file_.get(), piece.data(), static_cast<std::size_t>(wanted), at_);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return 0;
      newlines_ += std::count(piece.begin(), piece.begin() + got, '\n');
      at_ += got;
    }
    return newlines_ + 1;
  }

 private:
  void open(const Input &input) {
    path_ = input.path;
    at_ = newlines_ = 0;
    file_.reset(::open(input.path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat now {};
    if (!file_ || ::fstat(file_.get(), &now) != 0 || now.st_size != input.size) file_.reset();
  }

  std::string path_;
  UniqueFd file_;
  std::int64_t at_ = 0;
  std::int64_t newlines_ = 0;
};

std::string shown(const std::string &bytes) {
  std::string text = in_one_line(bytes.substr(0, kMostShown));
  return bytes.size() > kMostShown ? text + "…" : text;
}

// Lines of a backtrace, below its record.
void print_backtrace(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    say("    {}\n", lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void print_line(const RecordStatus &record, bool first) {
  if (first) say("{:<40} {:<24} {}\n", "RECORD IN", "FROM-TO", "WHY: BYTES");
  const std::string place = record.path.empty() ? fmt::format("input {}", record.input) : record.path;
  const std::string line = record.line > 0 ? fmt::format(":{}", record.line) : "";
  say("{:<40} {:<24} {}{}\n", in_one_line(place) + line, fmt::format("{}-{}", record.begin, record.end),
      in_one_line(record.reason), record.bytes.empty() ? "" : ": " + shown(record.bytes));
  print_backtrace(record.backtrace.value_or(""));
}

class Records {
 public:
  Records(JobLedger &job, const FailedCommand &command) : job_(job), command_(command) {}

  Result<void> print_skipped() {
    return job_.ledger().for_each_aside(job_.job().name, [&](std::int32_t input, const Aside &aside) -> Result<void> {
      print(input, {{}, {}, aside.begin, aside.end, 0, aside.bytes, aside.reason, std::nullopt});
      return {};
    });
  }
  Result<void> print_isolated() {
    const std::string &name = job_.job().name;
    return job_.ledger().for_each_row(name, [&](const SliceRow &row) -> Result<void> {
      if (row.state != SliceState::Isolated) return {};
      const SliceRange range = range_of(job_.job().manifest, {row.begin, row.end});
      const auto known = job_.ledger().isolated(name, range.input, range.begin);
      if (!known) return tl::unexpected<Error>(known.error());
      const IsolatedRecord record = known->value_or(IsolatedRecord{range.input, {range.begin, range.end}, {}, {}});
      print(range.input, {{},
                          {},
                          record.at.begin,
                          record.at.end,
                          0,
                          record.bytes.value_or(""),
                          row.reason,
                          record.backtrace.value_or("")});
      return {};
    });
  }

 private:
  void print(std::int32_t number, RecordStatus record) {
    const auto &inputs = job_.job().manifest.inputs();
    record.input = number;
    if (number >= 0 && static_cast<std::size_t>(number) < inputs.size()) {
      const Input &input = inputs[static_cast<std::size_t>(number)];
      record.path = input.path;
      if (command_.lines && !input.path.empty()) record.line = lines_.line_at(input, record.begin);
    }
    command_.json ? write_text(stdout, to_json(record)) : print_line(record, first_);
    first_ = false;
  }

  JobLedger &job_;
  const FailedCommand &command_;
  LineCounter lines_;
  bool first_ = true;
};

}  // namespace

Outcome<ExitCode> run_failed(const FailedCommand &command) {
  Outcome<ExitCode> slices = run_slices({command.address, command.job, SliceState::Quarantined, command.json});
  if (!slices) return slices;
  auto job = JobLedger::open(state_dir_of(command.address).path, command.job);
  if (!job) return give_up(ExitCode::Failed, job.error());
  Records records(*job, command);
  auto printed = records.print_skipped();
  if (printed) printed = records.print_isolated();
  if (!printed) return give_up(ExitCode::Failed, printed.error());
  return *slices;
}

}  // namespace hostler
