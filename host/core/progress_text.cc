#include "core/progress_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/human_text.h"
#include "core/plain_text.h"

namespace hostler {
namespace {

constexpr std::size_t kBarColumns = 16;

double part_done(const JobProgress &progress) {
  if (progress.positions <= 0) return 1;
  return std::clamp(static_cast<double>(progress.positions_done) / static_cast<double>(progress.positions), 0.0, 1.0);
}

// Rounded down: 100% means all.
int percent(const JobProgress &progress) {
  return static_cast<int>(part_done(progress) * 100);
}

bool is_running(const EntryStatus &job) {
  return job.state == "running";
}

bool all_slices_ended(const JobProgress &progress) {
  return progress.done + progress.quarantined >= progress.slices;
}

std::string rate_words(const EntryStatus &job) {
  if (job.rate <= 0) return "";
  return job.unit == "bytes" ? human_bytes(job.rate) + "/s" : human_count(job.rate) + "/s";
}

std::string join(const std::vector<std::string> &parts, std::string_view between) {
  std::string text;
  for (const auto &part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

std::string trouble(const JobProgress &progress) {
  return join({progress.backoff > 0 ? fmt::format("{} to be tried again", progress.backoff) : "",
               progress.quarantined > 0 ? fmt::format("{} quarantined", progress.quarantined) : "",
               progress.isolated > 0 ? fmt::format("{} isolated", counted(progress.isolated, "record")) : ""},
              ", ");
}

std::string slices_words(const JobProgress &progress) {
  return fmt::format("{}/{}", progress.done, counted(progress.slices, "slice"));
}

// Of what a job that ended short of success can do with --resume.
std::string resume_hint(const EntryStatus &job) {
  if (has_undone(job.progress)) return fmt::format("`--resume {}` tries again what is not done, ", job.name);
  if (job.state == "partial") return "";
  return fmt::format("`--resume {}` goes on from there once that is mended, ", job.name);
}

}  // namespace

bool has_undone(const JobProgress &progress) {
  return progress.done < progress.slices || progress.quarantined > 0 || progress.isolated > 0;
}

std::string progress_words(const EntryStatus &job) {
  const JobProgress &progress = job.progress;
  std::string left;
  if (is_running(job) && job.eta_seconds >= 0) left = human_seconds(job.eta_seconds) + " to go";
  if (is_running(job) && all_slices_ended(progress)) left = "finishing";
  if (job.state == "waiting") left = in_one_line(job.reason);
  if (job.state == "paused") left = "paused";
  return join({slices_words(progress), fmt::format("{}%", percent(progress)), is_running(job) ? rate_words(job) : "",
               left, trouble(progress)},
              ", ");
}

std::string progress_line(const EntryStatus &job, std::size_t name_columns, std::size_t columns) {
  const JobProgress &progress = job.progress;
  const auto filled = static_cast<std::size_t>(part_done(progress) * kBarColumns);
  std::string state = is_running(job) ? "" : job.state == "waiting" ? in_one_line(job.reason) : job.state;
  if (is_running(job) && job.eta_seconds >= 0) state = "ETA " + human_seconds(job.eta_seconds);
  if (is_running(job) && all_slices_ended(progress)) state = "finishing";
  const std::string name = job.name + std::string(name_columns - std::min(name_columns, columns_of(job.name)), ' ');
  const std::string bar = "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '.') + "]";
  return fit(join({name, bar, fmt::format("{:3}%", percent(progress)), slices_words(progress),
                   is_running(job) ? rate_words(job) : "", state, trouble(progress)},
                  "  "),
             columns);
}

std::string verdict_line(const EntryStatus &job) {
  const JobProgress &progress = job.progress;
  std::string line =
      fmt::format("{}: {}, {} of {} done", job.name, job.state, progress.done, counted(progress.slices, "slice"));
  if (progress.quarantined > 0) line += fmt::format(", {} quarantined", progress.quarantined);
  if (progress.isolated > 0) line += fmt::format(", {} isolated", counted(progress.isolated, "record"));
  if (progress.retries > 0) line += ", " + counted(progress.retries, "retry", "retries");
  if (!job.reason.empty()) line += ": " + in_one_line(job.reason);
  const bool fell_short = job.state == "failed" || job.state == "partial" || job.state == "cancelled";
  if (fell_short && job.held.empty())
    line += fmt::format("\n  {}`--fresh {}` starts from zero", resume_hint(job), job.name);
  if (!job.held.empty())
    line += fmt::format("\n  changed since, and kept as it was: {} (--fresh {} starts from zero{})", job.held, job.name,
                        job.resumable ? fmt::format(", --resume {} keeps what is done", job.name) : "");
  return line;
}

}  // namespace hostler
