#include "core/progress_text.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

EntryStatus running_job() {
  EntryStatus job;
  job.name = "words";
  job.kind = "job";
  job.state = "running";
  job.unit = "bytes";
  job.progress.slices = 64;
  job.progress.done = 12;
  job.progress.positions = 1000;
  job.progress.positions_done = 250;
  job.rate = 3 << 20;
  job.eta_seconds = 65;
  return job;
}

TEST(ProgressText, RunningJobHasBarRateAndTimeLeft) {
  const auto job = running_job();
  EXPECT_EQ(progress_line(job, 7, 200), "words    [####............]   25%  12/64 slices  3.0 MiB/s  ETA 1m 5s");
  EXPECT_EQ(progress_words(job), "12/64 slices, 25%, 3.0 MiB/s, 1m 5s to go");
}

TEST(ProgressText, LineIsCutToTheTerminal) {
  EXPECT_EQ(progress_line(running_job(), 5, 10), "words  [#…");
}

TEST(ProgressText, WhatIsNotKnownIsNotShown) {
  auto job = running_job();
  job.rate = 0;
  job.eta_seconds = -1;
  EXPECT_EQ(progress_words(job), "12/64 slices, 25%");
  EXPECT_EQ(progress_line(job, 0, 200), "words  [####............]   25%  12/64 slices");
}

TEST(ProgressText, AJobThatWaitsForAnotherEntrySaysForWhich) {
  auto job = running_job();
  job.state = "waiting";
  job.reason = "waits for feed, which an operator stopped";
  EXPECT_EQ(progress_words(job), "12/64 slices, 25%, waits for feed, which an operator stopped");
  EXPECT_EQ(progress_line(job, 0, 200),
            "words  [####............]   25%  12/64 slices  waits for feed, which an operator stopped");
}

TEST(ProgressText, TroubleIsShown) {
  auto job = running_job();
  job.progress.backoff = 2;
  job.progress.quarantined = 1;
  EXPECT_EQ(progress_words(job), "12/64 slices, 25%, 3.0 MiB/s, 1m 5s to go, 2 to be tried again, 1 quarantined");
}

TEST(ProgressText, PercentIsAllOnlyWhenAllIsDone) {
  auto job = running_job();
  job.progress.positions_done = 999;
  EXPECT_NE(progress_words(job).find("99%"), std::string::npos);
  job.progress.positions = job.progress.positions_done = 0;
  job.progress.slices = job.progress.done = 0;
  EXPECT_EQ(progress_words(job), "0/0 slices, 100%, 3.0 MiB/s, finishing") << "an empty input";
}

TEST(ProgressText, OneIsNotToldAsMany) {
  auto job = running_job();
  job.state = "failed";
  job.progress = {};
  job.progress.slices = 1;
  job.progress.retries = 1;
  EXPECT_TRUE(verdict_line(job).starts_with("words: failed, 0 of 1 slice done, 1 retry")) << verdict_line(job);
  EXPECT_TRUE(progress_words(job).starts_with("0/1 slice,")) << progress_words(job);
}

TEST(ProgressText, RateOfOtherThanBytesIsACount) {
  auto job = running_job();
  job.unit = "numbers";
  job.rate = 1234567;
  EXPECT_NE(progress_words(job).find("1.2M/s"), std::string::npos);
}

TEST(ProgressText, VerdictSaysWhatWasDoneAndWhatWaits) {
  auto job = running_job();
  job.state = "partial";
  job.progress.done = 63;
  job.progress.quarantined = 1;
  job.progress.retries = 3;
  job.reason = "1 of 64 slices quarantined";
  EXPECT_EQ(verdict_line(job),
            "words: partial, 63 of 64 slices done, 1 quarantined, 3 retries: 1 of 64 slices quarantined\n"
            "  `--resume words` tries again what is not done, `--fresh words` starts from zero");
  job.progress.done = 64;
  job.progress.quarantined = job.progress.retries = 0;
  job.progress.skipped.records = 3;
  job.reason = "3 records skipped";
  EXPECT_EQ(verdict_line(job),
            "words: partial, 64 of 64 slices done: 3 records skipped\n"
            "  `--fresh words` starts from zero")
      << "what was skipped no resume does again";
  job.state = "failed";
  job.reason = "3 records skipped, more than max_skipped allows";
  EXPECT_NE(verdict_line(job).find("`--resume words` goes on from there once that is mended, `--fresh"),
            std::string::npos);
  job.progress.isolated = 1;
  EXPECT_NE(verdict_line(job).find("`--resume words` tries again what is not done"), std::string::npos);
  job = running_job();
  job.state = "succeeded";
  job.progress.done = 64;
  EXPECT_EQ(verdict_line(job), "words: succeeded, 64 of 64 slices done");
  job.held = "params.top 20 → 30";
  EXPECT_NE(verdict_line(job).find("params.top 20 → 30 (--fresh words starts from zero)"), std::string::npos);
  job.resumable = true;
  EXPECT_NE(verdict_line(job).find("zero, --resume words keeps what is done)"), std::string::npos);
}

}  // namespace
}  // namespace hostler
