#include "core/job_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/human_text.h"
#include "core/plain_text.h"
#include "core/plan.h"
#include "core/slice_range.h"
#include "core/units.h"

namespace hostler {
namespace {

constexpr std::size_t kMostBuilds = 16;
constexpr std::size_t kHashDigits = 12;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

std::string times(Duration time) {
  if (time < std::chrono::milliseconds(1)) return format_duration(std::chrono::round<std::chrono::microseconds>(time));
  if (time < std::chrono::seconds(1)) return format_duration(std::chrono::round<std::chrono::milliseconds>(time));
  return human_seconds(seconds(time));
}

std::string amount(double positions, const std::string &unit) {
  return unit == "bytes" ? human_bytes(positions)
                         : human_count(positions) + " " + (positions == 1 ? unit.substr(0, unit.size() - 1) : unit);
}

// What was interrupted, or gave way, is nobody's failure.
bool is_failure(std::string_view verdict) {
  return verdict != name(Verdict::Done) && verdict != name(Verdict::Yield) && verdict != name(Verdict::Interrupted);
}

}  // namespace

std::string_view unit_of(InputKind kind) {
  switch (kind) {
    case InputKind::Lines:
    case InputKind::Records:
    case InputKind::File: return "bytes";
    case InputKind::Range: return "numbers";
    case InputKind::Items: return "items";
    case InputKind::None: break;
  }
  return "";
}

JobReporter::JobReporter(const StoredJob &job) : job_(job), tally_(job.manifest) {
  report_.job = job.name;
  // One that does not go on has a reason; the ledger keeps it open, for whoever mends that.
  report_.state = job.state == JobState::Running && !job.reason.empty() ? JobState::Failed : job.state;
  report_.reason = job.reason;
  report_.unit = unit_of(job.manifest.kind());
  report_.usage = job.usage;
  report_.counters = job.counters;
}

void JobReporter::add(const SliceRow &row) {
  tally_.add(row);
  const bool isolated = row.state == SliceState::Isolated;
  std::vector<GivenUp> &list = isolated ? report_.isolated : report_.quarantined;
  if ((row.state != SliceState::Quarantined && !isolated) || list.size() >= JobReport::kMost) return;
  const SliceRange range = range_of(job_.manifest, {row.begin, row.end});
  list.push_back({job_.name + "." + place_name(range), row.reason});
}

void JobReporter::add(const Attempt &attempt) {
  const std::int64_t slices = std::max<std::int64_t>(attempt.range.slices, 1);
  report_.attempts += slices;
  if (is_failure(attempt.verdict)) report_.failures += slices;
  count_time(attempt);

  if (attempt.build) {
    const std::string build = attempt.build->hash.substr(0, kHashDigits);
    auto &builds = report_.builds;
    if (builds.size() < kMostBuilds && std::find(builds.begin(), builds.end(), build) == builds.end())
      builds.push_back(build);
  }

  if (attempt.took == Duration{}) return;  // how long it took nobody knows
  const SlowSlice slow{job_.name + "." + place_name(attempt.range), attempt.took / slices, attempt.worker};
  auto &slowest = report_.slowest;
  const auto at =
      std::find_if(slowest.begin(), slowest.end(), [&](const SlowSlice &each) { return each.took < slow.took; });
  if (at == slowest.end() && slowest.size() >= JobReport::kMost) return;
  slowest.insert(at, slow);
  if (slowest.size() > JobReport::kMost) slowest.pop_back();
}

// They come in the order of their ends, so that only the last stretches can be what this one touches.
void JobReporter::count_time(const Attempt &attempt) {
  report_.work += attempt.took;
  Interval time{attempt.began_at * 1000, attempt.began_at * 1000};
  time.end += std::chrono::duration_cast<std::chrono::microseconds>(attempt.took).count();
  while (!busy_.empty() && busy_.back().end >= time.begin) {
    time.begin = std::min(time.begin, busy_.back().begin);
    time.end = std::max(time.end, busy_.back().end);
    busy_.pop_back();
  }
  busy_.push_back(time);
}

JobReport JobReporter::report() const {
  JobReport report = report_;
  report.progress = tally_.progress();
  report.progress.skipped = job_.skipped;
  std::int64_t microseconds = 0;
  for (const Interval &time : busy_) microseconds += time.end - time.begin;
  report.elapsed = std::chrono::microseconds(microseconds);
  if (microseconds > 0) report.rate = static_cast<double>(report.progress.positions_done) / seconds(report.elapsed);
  return report;
}

std::string report_text(const JobReport &report) {
  const JobProgress &progress = report.progress;
  std::string text = fmt::format("{}: {}{}{}\n", report.job, name(report.state), report.reason.empty() ? "" : ": ",
                                 in_one_line(report.reason));
  text += fmt::format("  slices       {} of {} done, {} quarantined, {}, {} of them failed\n", progress.done,
                      progress.slices, progress.quarantined, counted(report.attempts, "attempt"), report.failures);
  if (progress.isolated > 0)
    text += fmt::format("  records      {} isolated, {}\n", progress.isolated,
                        amount(static_cast<double>(progress.positions_isolated), report.unit));
  text +=
      fmt::format("  input        {} of {} done\n", amount(static_cast<double>(progress.positions_done), report.unit),
                  amount(static_cast<double>(progress.positions), report.unit));
  if (progress.skipped.records > 0)
    text += fmt::format("  skipped      {} ({})\n", counted(progress.skipped.records, "record"),
                        amount(static_cast<double>(progress.skipped.positions), report.unit));
  text += fmt::format("  time         {} in which {} of work were done, {}/s\n", times(report.elapsed),
                      times(report.work), amount(report.rate, report.unit));
  text +=
      fmt::format("  workers      {}, {} of CPU, {} at most\n", counted(report.usage.workers, "process", "processes"),
                  times(report.usage.cpu), human_bytes(static_cast<double>(report.usage.peak_bytes)));
  if (!report.builds.empty()) text += fmt::format("  builds       {}\n", fmt::join(report.builds, ", "));
  for (const auto &[counter, total] : report.counters) text += fmt::format("  counter      {} {}\n", counter, total);
  for (const SlowSlice &slow : report.slowest)
    text += fmt::format("  slowest      {}  {}, worker {}\n", slow.slice, times(slow.took), slow.worker);
  const auto list = [&](std::string_view what, const std::vector<GivenUp> &all, std::int64_t count) {
    for (const GivenUp &each : all)
      text += fmt::format("  {:<11}  {}  {}\n", what, each.slice, in_one_line(each.reason));
    const std::int64_t more = count - static_cast<std::int64_t>(all.size());
    if (more > 0) text += fmt::format("  {:<11}  {} more: hostler failed {}\n", what, more, report.job);
  };
  list("quarantined", report.quarantined, progress.quarantined);
  list("isolated", report.isolated, progress.isolated);
  return text;
}

}  // namespace hostler
