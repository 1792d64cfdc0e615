#include "core/host_deaths.h"

#include <gtest/gtest.h>

#include "core/job.h"

namespace hostler {
namespace {

constexpr WorkerId kA = 1;
const TimePoint kStart{std::chrono::hours(1)};
constexpr Duration kRan = std::chrono::seconds(2);

Page running(const std::string &job, std::int64_t begun, std::int64_t at) {
  Page page;
  page.host.layout = page.worker.layout = kPageLayout;
  page.host.go = 1;
  page.host.job = page_mark(job);
  page.worker.stage = static_cast<std::uint32_t>(Stage::Running);
  page.worker.begun = begun;
  page.worker.begun_at = (kStart - kRan).time_since_epoch().count();
  page.worker.claimed_from = at;
  return page;
}

const std::vector<SliceRow> kRows{{0, 10, SliceState::Done, 0, 0, {}}, {10, 40, SliceState::Leased, 2, 0, {}}};

// Numbers from 100 on, in slices of ten.
Manifest plan(std::int64_t positions = 40) {
  Input numbers;
  numbers.size = positions;
  return {InputKind::Range, {numbers}, 10, 1, 100, {}, 1};
}

std::vector<DiedIn> found_in(const Page &page, const std::string &job = "j") {
  return died_in(job, plan(), kRows, std::vector{page}, kStart);
}

TEST(HostDeaths, WhatAPageSaysIsBelievedOnlyOfWhatWasHandedOut) {
  const auto found = found_in(running("j", 20, 23));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].begun, 20);
  EXPECT_EQ(found[0].at, 23);
  EXPECT_EQ(found[0].after, kRan);
  EXPECT_TRUE(found_in(running("j", 20, 23), "k").empty());
  for (const std::int64_t begun : {std::int64_t{-1}, std::int64_t{0}, std::int64_t{9}, std::int64_t{40},
                                   std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()})
    EXPECT_TRUE(found_in(running("j", begun, 0)).empty()) << begun;
  EXPECT_EQ(died_in("j", plan(), kRows, std::vector{running("j", 20, 1), running("j", 20, 2)}, kStart).size(), 1U);
}

TEST(HostDeaths, APageOfAnotherLayoutOrBetweenSlicesChargesNobody) {
  for (int i = 0; i < 4; ++i) {
    Page page = running("j", 20, 20);
    if (i == 0) page.host.layout = kPageLayout + 1;
    if (i == 1) page.worker.layout = 0;
    if (i == 2) page.host.go = 0;
    if (i == 3) page.worker.stage = static_cast<std::uint32_t>(Stage::Idle);
    EXPECT_TRUE(found_in(page).empty()) << i;
  }
}

TEST(HostDeaths, TheLineOfTheAttemptSaysWhoWasAtWhichSliceAndWhere) {
  Page page = running("j", 20, 123);
  page.worker.claimed_to = 127;
  page.host.instance = 3;
  page.host.build.fill('\x5a');
  const auto found = found_in(page);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].range, range_of(plan(), {20, 30}));
  EXPECT_EQ(found[0].attempt, 3);
  EXPECT_EQ(found[0].worker, 3);
  EXPECT_EQ(found[0].build.substr(0, 4), "5a5a");
  EXPECT_EQ(found[0].began, kStart - kRan);
  EXPECT_EQ(found[0].reason, "the host died in slice 0-120 within positions 123-127");
}

TEST(HostDeaths, AttemptsWhoseRunHadReturnedHaveALineAndAreNotSuspected) {
  for (const Stage stage : {Stage::Returned, Stage::Settling, Stage::Checkpointing}) {
    Page page = running("j", 20, 123);
    page.worker.stage = static_cast<std::uint32_t>(stage);
    const auto found = found_in(page);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].reason, "the host died in slice 0-120");
    Job job({}, plan(), kRows);
    for (int i = 0; i < 9; ++i) job.host_died_in(found[0]);
    EXPECT_TRUE(job.rows().at(1).reason.empty());
  }
}

TEST(HostDeaths, OfTheMergeItIsTheMerge) {
  const std::vector<SliceRow> rows{{0, 40, SliceState::Done, 0, 0, {}}, {40, 41, SliceState::Leased, 0, 0, {}}};
  const auto found = died_in("j", plan(), rows, std::vector{running("j", 40, 0)}, kStart);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].range.merge);
  EXPECT_EQ(found[0].reason, "the host died in merge()");
}

TEST(HostDeaths, WhatAPageSaysOfTheTimeIsNoLongerThanTheHostHasLivedAndNeverNegative) {
  for (const std::int64_t at : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    Page page = running("j", 20, 20);
    page.worker.begun_at = at;
    const auto found = found_in(page);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].after, at < 0 ? kStart.time_since_epoch() : Duration{});
  }
}

TEST(HostDeaths, TwoAtOnePlaceAreDangerousAndAHalfCountsElsewhere) {
  Trouble same;
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(is_dangerous(same));
    add_death(same, {0, 7});
  }
  EXPECT_TRUE(is_dangerous(same));
  Trouble elsewhere;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(is_dangerous(elsewhere)) << i;
    add_death(elsewhere, {0, i});
  }
  EXPECT_TRUE(is_dangerous(elsewhere));
}

TEST(HostDeaths, OnlyTwoDeathsAloneMakeASliceGuilty) {
  Trouble trouble;
  for (int i = 0; i < 3; ++i) {
    add_death(trouble, {0, 7});
    EXPECT_FALSE(is_guilty(trouble)) << i;
  }
  add_death(trouble, {0, 9});
  EXPECT_TRUE(is_guilty(trouble));
  acquit(trouble);
  EXPECT_FALSE(trouble.any());
}

TEST(HostDeaths, NothingIsAtWorkForFourTimesAsLongAsTheSliceHadRun) {
  Trouble trouble;
  add_death(trouble, {0, 7, std::chrono::seconds(1)});
  EXPECT_EQ(quiet_before(trouble), std::chrono::seconds(4));
  add_death(trouble, {0, 7, Duration{}});
  EXPECT_EQ(quiet_before(trouble), std::chrono::milliseconds(100));
  add_death(trouble, {0, 7, std::chrono::hours(24)});
  EXPECT_EQ(quiet_before(trouble), std::chrono::seconds(30));
}

Manifest numbers() {
  return {InputKind::Range, {{"", 40, 0, 0, 0}}, 10, 1, 0, {}, 1};
}

// Hosts that die of the slice that begins at `killer` whenever it runs, and what they leave: how many there were.
int hosts_of(std::int64_t killer, bool merge_kills, std::vector<SliceRow> &rows) {
  JobSettings settings;
  settings.has_merge = merge_kills;
  settings.max_failed.percent = 100;
  for (int host = 1;; ++host) {
    EXPECT_LT(host, 20);
    Job job(settings, numbers(), rows);
    if (host > 1) job.host_died_in({killer, 3});
    bool died = false;
    while (host < 20 && job.state() == JobState::Running && !died) {
      const bool alone = job.wants_solitude(kStart);
      if (alone) {
        EXPECT_EQ(job.wait_alone(), std::chrono::milliseconds(100));
      }
      auto lease = alone ? job.lease_alone(kA, kStart) : job.lease(kA, kStart, 1);
      EXPECT_TRUE(lease);
      if (!lease) return -1;
      died = lease->begin == killer;
      if (died) break;
      EXPECT_TRUE(job.lease_ended(kA, {lease->id, lease->end}));
    }
    rows = job.rows();
    if (!died) return host;
  }
}

TEST(HostDeaths, ASliceThatKillsTheHostIsDoneLastThenAloneThenQuarantined) {
  std::vector<SliceRow> rows;
  EXPECT_EQ(hosts_of(10, false, rows), 5);
  const auto bad = std::find_if(rows.begin(), rows.end(), [](const SliceRow &row) { return row.begin == 10; });
  ASSERT_NE(bad, rows.end());
  EXPECT_EQ(bad->state, SliceState::Quarantined);
  EXPECT_EQ(bad->end, 20);
  EXPECT_EQ(bad->reason, "the host died while it ran, again and again, at last with nothing else at work");
}

TEST(HostDeaths, ASliceIsAcquittedByADeathOfTheHostWhileNothingWasAtWork) {
  std::vector<SliceRow> rows;
  for (int host = 0; host < 30; ++host) {
    Job job({}, {InputKind::Range, {{"", 10, 0, 0, 0}}, 10, 1, 0, {}, 1}, rows);
    if (host % 4 != 0) job.host_died_in({0, 0, Duration{}});  // of the host before, but for who died in the wait
    if (host % 4 == 3) {
      ASSERT_TRUE(job.wants_solitude(kStart)) << host;
      (void)job.wait_alone();
    } else if (job.wants_solitude(kStart)) {
      (void)job.wait_alone();
      ASSERT_TRUE(job.lease_alone(kA, kStart));
    } else {
      ASSERT_TRUE(job.lease(kA, kStart, 1)) << host;
    }
    rows = job.rows();
    ASSERT_EQ(job.state(), JobState::Running) << host;
  }
}

TEST(HostDeaths, AMergeThatKillsTheHostEndsTheJobToo) {
  std::vector<SliceRow> rows;
  EXPECT_EQ(hosts_of(40, true, rows), 5);
  EXPECT_EQ(rows.back().begin, 40);
  EXPECT_EQ(rows.back().state, SliceState::Quarantined);
}

TEST(HostDeaths, ASliceIsNotHandedOutWithOthersOnceItIsDangerous) {
  Job job({}, numbers(), {});
  for (int i = 0; i < 2; ++i) job.host_died_in({10, 12});
  for (const std::int64_t begin : {0, 20, 30}) {
    EXPECT_FALSE(job.wants_solitude(kStart));
    const auto lease = job.lease(kA, kStart, 1);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->begin, begin);
    EXPECT_FALSE(job.lease_alone(kA, kStart));
    ASSERT_TRUE(job.lease_ended(kA, {lease->id, lease->end}));
  }
  EXPECT_FALSE(job.has_due(kStart));
  EXPECT_FALSE(job.lease(kA, kStart, 9));
  EXPECT_TRUE(job.wants_solitude(kStart));
  EXPECT_EQ(job.open_slices(), 1);
  const auto alone = job.lease_alone(kA, kStart);
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->begin, 10);
  EXPECT_EQ(alone->end, 20);
  // An ordinary failure of it changes nothing of that.
  const TimePoint later = kStart + std::chrono::hours(1);
  EXPECT_EQ(job.lost(kA, 10, {Verdict::Crash, "killed by SIGSEGV"}, kStart, 0.5).state, SliceState::Backoff);
  EXPECT_FALSE(job.lease(kA, later, 9));
  const auto again = job.lease_alone(kA, kStart);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->attempt, 2);
  ASSERT_TRUE(job.lease_ended(kA, {again->id, again->end}));
  EXPECT_EQ(job.state(), JobState::Succeeded);
}

TEST(HostDeaths, AnAttemptThatComesBackByItselfAcquitsTheSlice) {
  for (const auto &[verdict, acquits] : {std::pair{Verdict::Yield, true}, std::pair{Verdict::RetryLater, true},
                                         std::pair{Verdict::Failure, true}, std::pair{Verdict::Interrupted, false},
                                         std::pair{Verdict::Crash, false}, std::pair{Verdict::OutOfMemory, false},
                                         std::pair{Verdict::Timeout, false}, std::pair{Verdict::LoadFailure, false}}) {
    Job job({}, {InputKind::Range, {{"", 10, 0, 0, 0}}, 10, 1, 0, {}, 1}, {});
    for (int i = 0; i < 2; ++i) job.host_died_in({0, 3});
    const auto lease = job.lease_alone(kA, kStart);
    ASSERT_TRUE(lease);
    SliceEnded ended;
    ended.lease = lease->id;
    ended.slice = {0, 10};
    ASSERT_TRUE(job.ended(kA, ended, {verdict, "as told"}, kStart, 0.5));
    EXPECT_EQ(job.wants_solitude(kStart), !acquits) << static_cast<int>(verdict);
    const auto again = acquits ? job.lease(kA, kStart + std::chrono::hours(1), 1) : job.lease_alone(kA, kStart);
    EXPECT_TRUE(again) << static_cast<int>(verdict);
  }
}

TEST(HostDeaths, APartOfASliceThatWasRunningIsFoundWhereverItsStretchBeginsNow) {
  Job job({}, numbers(), {});
  job.host_died_in({15, 17});  // the part that began at 15 lies in an untouched stretch by now
  EXPECT_EQ(job.rows().size(), 1U);
  EXPECT_EQ(job.rows()[0].begin, 10);
  EXPECT_EQ(job.rows()[0].end, 20);
  job.host_died_in({-1, 0});
  job.host_died_in({1000, 0});
  EXPECT_EQ(job.rows().size(), 1U);
}

TEST(Trouble, WhatTheLedgerKeepsOfItIsReadBack) {
  Trouble trouble;
  EXPECT_EQ(encode(trouble), "");
  trouble.crashes = {{1, 2}, {30, 44}};
  trouble.bisected = 6;
  trouble.deaths = 8;
  trouble.death_at = 17;
  trouble.death_after = std::chrono::microseconds(2);
  trouble.deaths_alone = 1;
  trouble.waits = true;
  EXPECT_EQ(encode(trouble), "crash 1 2 crash 30 44 bisected 6 deaths 8 17 2000 1 waits");
  EXPECT_EQ(decode_trouble(encode(trouble)), trouble);
  EXPECT_EQ(decode_trouble(""), Trouble{});
  EXPECT_EQ(decode_trouble("nonsense crash x"), Trouble{});
}

}  // namespace
}  // namespace hostler
