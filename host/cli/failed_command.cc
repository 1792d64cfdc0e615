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
#include "edge/status_json.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr std::size_t kMostShown = 60;  // bytes of a record, on a terminal

// The number of the line that a position lies in, from 1 on; positions of one file come in order, so it is read once.
class LineCounter {
 public:
  // 0: it cannot be told, as the file is not as the job has read it.
  std::int64_t line_at(const Input &input, std::int64_t position) {
    if (path_ != input.path) open(input);
    if (!file_ || position < at_) return 0;
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

void print_line(const RecordStatus &record, bool first) {
  if (first) say("{:<40} {:<24} {}\n", "RECORD IN", "FROM-TO", "WHY: BYTES");
  const std::string place = record.path.empty() ? fmt::format("input {}", record.input) : record.path;
  const std::string line = record.line > 0 ? fmt::format(":{}", record.line) : "";
  say("{:<40} {:<24} {}{}\n", place + line, fmt::format("{}-{}", record.begin, record.end), in_one_line(record.reason),
      record.bytes.empty() ? "" : ": " + shown(record.bytes));
}

Result<void> print_records(JobLedger &job, const FailedCommand &command) {
  const Manifest &plan = job.job().manifest;
  LineCounter lines;
  bool first = true;
  return job.ledger().for_each_aside(job.job().name, [&](std::int32_t number, const Aside &aside) -> Result<void> {
    RecordStatus record;
    record.input = number;
    record.begin = aside.begin;
    record.end = aside.end;
    record.bytes = aside.bytes;
    record.reason = aside.reason;
    if (number >= 0 && static_cast<std::size_t>(number) < plan.inputs().size()) {
      const Input &input = plan.inputs()[static_cast<std::size_t>(number)];
      record.path = input.path;
      if (command.lines && !input.path.empty()) record.line = lines.line_at(input, aside.begin);
    }
    command.json ? write_text(stdout, to_json(record)) : print_line(record, first);
    first = false;
    return {};
  });
}

}  // namespace

Outcome<ExitCode> run_failed(const FailedCommand &command) {
  Outcome<ExitCode> slices = run_slices({command.address, command.job, SliceState::Quarantined, command.json});
  if (!slices) return slices;
  auto job = JobLedger::open(state_dir_of(command.address).path, command.job);
  if (!job) return give_up(ExitCode::Failed, job.error());
  if (const auto printed = print_records(*job, command); !printed) return give_up(ExitCode::Failed, printed.error());
  return *slices;
}

}  // namespace hostler
