#include "core/job_report.h"

#include <gtest/gtest.h>

#include "core/plan.h"

namespace hostler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

StoredJob a_job() {
  StoredJob job;
  job.name = "j";
  job.manifest = Manifest(InputKind::Range, {{"", 100, 0, 0, 0}}, 10, 1, 0, {}, 1);
  job.state = JobState::Partial;
  job.reason = "1 of 10 slices quarantined";
  job.counters = {{"found", 7}};
  job.usage = {3, seconds(90), std::int64_t{64} << 20};
  return job;
}

Attempt attempt(std::int64_t seq, Interval slices, const Manifest &plan, std::int64_t began_ms, Duration took,
                const std::string &verdict = "done") {
  Attempt attempt;
  attempt.seq = seq;
  attempt.range = range_of(plan, slices);
  attempt.verdict = verdict;
  attempt.began_at = began_ms;
  attempt.took = took;
  Build build;
  build.hash = "0123456789abcdef";
  attempt.build = std::make_shared<const Build>(build);
  return attempt;
}

TEST(JobTally, CountsAsTheJobDoes) {
  const Manifest plan(InputKind::Lines, {{"a", 95, 1, 2, 3}, {"b", 31, 1, 2, 4}}, 10, 1, 0, {}, 1);
  const std::vector<SliceRow> rows{
      {0, 20, SliceState::Done, 0, 0, {}},   {30, 40, SliceState::Backoff, 2, 1, "why"},
      {40, 50, SliceState::Done, 1, 0, {}},  {60, 70, SliceState::Quarantined, 4, 0, "why"},
      {95, 126, SliceState::Done, 0, 0, {}}, {126, 127, SliceState::Backoff, 1, 0, "why"}};
  JobTally tally(plan);
  for (const SliceRow &row : rows) tally.add(row);
  const JobProgress by_rows = tally.progress();
  const JobProgress by_job = Job({}, plan, rows).progress();
  EXPECT_EQ(by_rows.slices, by_job.slices);
  EXPECT_EQ(by_rows.done, by_job.done);
  EXPECT_EQ(by_rows.backoff, by_job.backoff);
  EXPECT_EQ(by_rows.quarantined, by_job.quarantined);
  EXPECT_EQ(by_rows.positions, by_job.positions);
  EXPECT_EQ(by_rows.positions_done, by_job.positions_done);
  EXPECT_EQ(by_rows.retries, by_job.retries);
}

TEST(JobTally, PartsOfASliceAreOneAsInTheJob) {
  const Manifest plan(InputKind::Range, {{"", 40, 0, 0, 0}}, 10, 1, 0, {}, 1);
  const std::vector<SliceRow> rows{
      {0, 4, SliceState::Done, 0, 0, {}},           {4, 6, SliceState::Quarantined, 4, 0, "why"},
      {6, 8, SliceState::Quarantined, 4, 0, "why"}, {13, 15, SliceState::Quarantined, 4, 0, "why"},
      {15, 20, SliceState::Backoff, 1, 0, "why"},   {20, 30, SliceState::Done, 0, 0, {}}};
  JobTally tally(plan);
  for (const SliceRow &row : rows) tally.add(row);
  const JobProgress by_rows = tally.progress();
  const JobProgress by_job = Job({}, plan, rows).progress();
  EXPECT_EQ(by_rows.quarantined, 2);
  EXPECT_EQ(by_job.quarantined, 2);
  EXPECT_EQ(by_rows.done, 1);
  EXPECT_EQ(by_job.done, 1);
}

TEST(JobTally, WithoutRowsNothingIsDone) {
  const Manifest plan(InputKind::Range, {{"", 100, 0, 0, 0}}, 10, 1, 0, {}, 1);
  EXPECT_EQ(JobTally(plan).progress().done, 0);
  const Manifest empty(InputKind::Range, {{"", 0, 0, 0, 0}}, 10, 1, 0, {}, 1);
  EXPECT_EQ(JobTally(empty).progress().slices, 0);
}

TEST(JobReport, TellsTheSlowestSlicesAndWhatWasGivenUp) {
  const StoredJob job = a_job();
  JobReporter reporter(job);
  reporter.add(SliceRow{0, 90, SliceState::Done, 0, 0, {}});
  reporter.add(SliceRow{90, 100, SliceState::Quarantined, 2, 0, "killed by SIGSEGV"});
  for (int i = 0; i < 8; ++i)
    reporter.add(attempt(i + 1, {i * 10, i * 10 + 10}, job.manifest, i * 1000, milliseconds(100 * ((i * 5) % 8))));
  reporter.add(attempt(9, {90, 100}, job.manifest, 20'000, milliseconds(1), "crash"));
  reporter.add(attempt(10, {90, 100}, job.manifest, 30'000, milliseconds(1), "interrupted"));
  const JobReport report = reporter.report();
  EXPECT_EQ(report.attempts, 10);
  EXPECT_EQ(report.failures, 1);
  ASSERT_EQ(report.slowest.size(), JobReport::kMost);
  EXPECT_EQ(report.slowest[0].took, milliseconds(700));
  EXPECT_EQ(report.slowest[0].slice, "j.0-30");
  EXPECT_EQ(report.slowest[4].took, milliseconds(300));
  ASSERT_EQ(report.quarantined.size(), 1U);
  EXPECT_EQ(report.quarantined[0].slice, "j.0-90");
  EXPECT_EQ(report.builds, std::vector<std::string>{"0123456789ab"});
  EXPECT_EQ(report.progress.done, 9);
}

TEST(JobReport, AJobThatIsStoppedByAReasonHasFailed) {
  StoredJob job = a_job();
  job.state = JobState::Running;
  job.reason.clear();
  EXPECT_EQ(JobReporter(job).report().state, JobState::Running);
  job.reason = "the code, not the data";
  EXPECT_EQ(JobReporter(job).report().state, JobState::Failed);
}

TEST(JobReport, SlicesThatShareALineTakeTheirShare) {
  const StoredJob job = a_job();
  JobReporter reporter(job);
  reporter.add(attempt(1, {0, 50}, job.manifest, 0, seconds(5)));
  EXPECT_EQ(reporter.report().slowest[0].took, seconds(1));
  EXPECT_EQ(reporter.report().attempts, 5);
}

TEST(JobReport, AnAttemptThatDiedWithItsHostIsNoSlowSliceAndNoFailure) {
  const StoredJob job = a_job();
  JobReporter reporter(job);
  reporter.add(attempt(1, {0, 10}, job.manifest, 0, {}, "interrupted"));
  const JobReport report = reporter.report();
  EXPECT_EQ(report.attempts, 1);
  EXPECT_EQ(report.failures, 0);
  EXPECT_TRUE(report.slowest.empty());
}

TEST(JobReport, TimeThatTwoWorkersShareCountsOnce) {
  const StoredJob job = a_job();
  JobReporter reporter(job);
  reporter.add(SliceRow{0, 40, SliceState::Done, 0, 0, {}});
  reporter.add(attempt(1, {0, 10}, job.manifest, 0, seconds(1)));
  reporter.add(attempt(2, {10, 20}, job.manifest, 500, seconds(1)));
  reporter.add(attempt(3, {20, 30}, job.manifest, 10'000, seconds(1)));
  reporter.add(attempt(4, {30, 40}, job.manifest, 1000, seconds(11)));  // it began long ago
  const JobReport report = reporter.report();
  EXPECT_EQ(report.elapsed, seconds(12));
  EXPECT_EQ(report.work, seconds(14));
  EXPECT_DOUBLE_EQ(report.rate, 40.0 / 12);
}

TEST(JobReport, IsTextThatAPersonReads) {
  const StoredJob job = a_job();
  JobReporter reporter(job);
  reporter.add(SliceRow{0, 90, SliceState::Done, 0, 0, {}});
  reporter.add(SliceRow{90, 100, SliceState::Quarantined, 2, 0, "two\nlines"});
  reporter.add(attempt(1, {0, 90}, job.manifest, 0, seconds(9)));
  EXPECT_EQ(report_text(reporter.report()),
            "j: partial: 1 of 10 slices quarantined\n"
            "  slices       9 of 10 done, 1 quarantined, 9 attempts, 0 of them failed\n"
            "  input        90 numbers of 100 numbers done\n"
            "  time         9.0s in which 9.0s of work were done, 10 numbers/s\n"
            "  workers      3 processes, 1m 30s of CPU, 64.0 MiB at most\n"
            "  builds       0123456789ab\n"
            "  counter      found 7\n"
            "  slowest      j.0-0  1.0s, worker 0\n"
            "  quarantined  j.0-90  two?lines\n");
}

}  // namespace
}  // namespace hostler
