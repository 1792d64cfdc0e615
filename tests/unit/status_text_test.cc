#include "core/status_text.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

HostStatus sample() {
  WorkerStatus first;
  first.state = "running";
  first.pid = 11;
  first.up_seconds = 61;
  first.slice = "words.0-4096";
  WorkerStatus second;
  second.instance = 1;
  second.state = "backoff";
  second.restarts = 2;
  second.last_exit = {"killed by SIGSEGV", "crash", -1, 11, true};
  second.note = "again in 400ms";
  EntryStatus job;
  job.name = "words";
  job.kind = "job";
  job.state = "running";
  job.plugin = "words.so";
  job.version = "1.0.0";
  job.progress.slices = 4;
  job.progress.done = 1;
  job.progress.positions = 4;
  job.progress.positions_done = 1;
  job.workers = {first, second};
  HostStatus host;
  host.version = "0.1.0";
  host.pid = 10;
  host.config = "/etc/workers.yaml";
  host.up_seconds = 70;
  host.last_reload = "none yet";
  host.entries = {job};
  return host;
}

TEST(StatusText, EntryIsFollowedByItsWorkers) {
  EXPECT_EQ(status_text(sample(), {{11, 4 << 20}}),
            "hostler 0.1.0 is up for 1m 10s (pid 10) with /etc/workers.yaml\n"
            "last reload: none yet\n"
            "\n"
            "NAME       KIND  STATE    PID  UP     RESTARTS  MEMORY\n"
            "words      job   running                                 words.so 1.0.0; 1/4 slices, 25%\n"
            "  words/0        running  11   1m 1s  0         4.0 MiB  slice words.0-4096\n"
            "  words/1        backoff  -    -      2         -        again in 400ms; last: killed by SIGSEGV\n");
}

TEST(StatusText, WhatJobsWaitForIsSaid) {
  HostStatus host = sample();
  host.waits_for = "/state/ledger.sqlite: the disk is full";
  EXPECT_NE(status_text(host, {}).find("last reload: none yet\njobs wait: /state/ledger.sqlite: the disk is full\n"),
            std::string::npos);
}

TEST(StatusText, WhatAJobWaitsForIsToldOnce) {
  HostStatus host = sample();
  host.entries[0].state = "waiting";
  host.entries[0].reason = "no room in /out";
  EXPECT_NE(status_text(host, {}).find("words.so 1.0.0; 1/4 slices, 25%, no room in /out\n"), std::string::npos)
      << status_text(host, {});
}

TEST(StatusText, TheLastExitIsToldOnce) {
  auto host = sample();
  host.entries[0].workers[1].note = "gave up: 3 restarts within 1m; last: killed by SIGSEGV";
  const std::string text = status_text(host, {});
  EXPECT_NE(text.find("gave up: 3 restarts within 1m; last: killed by SIGSEGV\n"), std::string::npos) << text;
}

TEST(StatusText, WhatWaitsForSomebodyIsSaid) {
  auto host = sample();
  host.entries[0].held = "params.top 20 → 30";
  host.entries[0].resumable = true;
  host.entries[0].newer_build = true;
  host.entries[0].build = "0123456789ab";
  host.stopping = true;
  const std::string text = status_text(host, {});
  EXPECT_NE(text.find("changed: params.top 20 → 30; --fresh words or --resume words applies it"), std::string::npos)
      << text;
  EXPECT_NE(text.find("new workers load build 0123456789ab"), std::string::npos) << text;
  EXPECT_NE(text.find("is stopping"), std::string::npos) << text;
  host.entries[0].resumable = false;
  EXPECT_NE(status_text(host, {}).find("→ 30; --fresh words applies it"), std::string::npos);
}

TEST(StatusText, WhatAPluginTellsOfItsProgressIsShown) {
  auto host = sample();
  host.entries[0].workers[1].progress = {12, 30};
  EXPECT_NE(status_text(host, {}).find("12 of 30"), std::string::npos) << status_text(host, {});
  host.entries[0].workers[1].progress = {12, 0};
  EXPECT_NE(status_text(host, {}).find("12 done"), std::string::npos) << status_text(host, {});
}

TEST(StatusText, NothingInAPagesProgressIsTrusted) {
  WorkerPart page;
  page.progress_done = -5;
  page.progress_total = 30;
  EXPECT_EQ(progress_of(page).done, 0);
  page.progress_done = 31;
  EXPECT_EQ(progress_of(page).done, 30);
  page.progress_total = -1;
  EXPECT_EQ(progress_of(page).total, 0);
  EXPECT_EQ(progress_of(page).done, 31);
}

TEST(StatusText, OfManyWorkersThoseThatNeedAttentionAreShownAndTheRestCounted) {
  EntryStatus entry;
  entry.name = "many";
  for (std::int32_t i = 0; i < 5000; ++i) {
    WorkerStatus worker;
    worker.instance = i;
    worker.state = i == 4711 ? "backoff" : "running";
    entry.workers.push_back(worker);
  }
  EntryStatus few = entry;
  few.workers.resize(40);
  keep_shown(few);
  EXPECT_EQ(few.workers.size(), 40U);
  keep_shown(entry);
  ASSERT_EQ(entry.workers.size(), 20U);
  EXPECT_EQ(entry.workers.front().instance, 0);
  EXPECT_EQ(entry.workers.back().instance, 4711);
  HostStatus host;
  host.entries.push_back(entry);
  EXPECT_NE(status_text(host, {}).find("  … 4980 more"), std::string::npos);
  EXPECT_NE(status_text(host, {}).find("4980 running (--json shows all)"), std::string::npos);
}

}  // namespace
}  // namespace hostler
