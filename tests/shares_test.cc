// Idle workers take from stragglers, and what is stopped is cut where it stands: under the supervisor, in virtual time.
#include <csignal>
#include <map>

#include "fakes/claiming_worker.h"
#include "fakes/fleet_fixture.h"

namespace hostler {
namespace {

constexpr std::int32_t kSplittable = 1;

class SharesTest : public FleetTest {
 protected:
  // One input of `size` positions in slices of `slice`.
  static PreparedEntry job(InputKind kind, std::int32_t count, std::int64_t size, std::int64_t slice,
                           std::int64_t unit = 1) {
    PreparedEntry entry = service_entry("j", count);
    entry.build.flags = kSplittable;
    entry.config.input.kind = kind;
    entry.config.output = "/out/j";
    Input input;
    if (kind != InputKind::Range && kind != InputKind::Items) input.path = "/in/a";
    input.size = size;
    std::vector<std::string> items(kind == InputKind::Items ? static_cast<std::size_t>(size) : 0, "x");
    entry.manifest = Manifest(kind, {input}, slice, unit, 0, std::move(items), count);
    return entry;
  }
  static PreparedEntry one_slice(std::int32_t count, std::int64_t size) {
    return job(InputKind::Range, count, size, size);
  }
  void script(Claiming claiming = {}) {
    claiming.claimed = &claimed;
    system.script("j", claiming_script(claiming));
  }
  // Runs it to its end; how long that took.
  Duration finish(const PreparedEntry &entry) {
    const TimePoint began = system.now();
    EXPECT_TRUE(apply({entry}));
    for (int i = 0; i < 100000 && this->entry("j").state != "succeeded"; ++i) system.run_for(milliseconds(10));
    EXPECT_EQ(this->entry("j").state, "succeeded") << this->entry("j").reason;
    return system.now() - began;
  }
  // The committed ranges lie end to end, and all that they hold is counted once.
  void expect_each_once(std::int64_t size) {
    std::int64_t covered = 0;
    for (const auto &[begin, result] : store.results("j")) {
      EXPECT_EQ(begin, covered);
      covered = std::stoll(result);
    }
    EXPECT_EQ(covered, size);
    EXPECT_EQ(store.job("j").counters.at("positions"), size);
    std::int64_t done = 0;
    const auto rows = store.load()[0].rows;
    for (const SliceRow &row : rows) {
      EXPECT_EQ(row.state, SliceState::Done);
      EXPECT_EQ(row.begin, done);
      done = row.end;
    }
    EXPECT_EQ(done, size);
  }
  void expect_shared(InputKind kind, std::int64_t unit) {
    script();
    const Duration took = finish(job(kind, 2, 600 * unit, 600 * unit, unit));
    EXPECT_LT(took, milliseconds(3600));
    EXPECT_EQ(all_claimed(), 600);
    EXPECT_GE(store.results("j").size(), 2U);
    for (const auto &[begin, result] : store.results("j")) EXPECT_EQ(begin % unit, 0);
    expect_each_once(600 * unit);
  }
  // One slice much shorter than slices may be, ten milliseconds a unit.
  void expect_short_one_shared(InputKind kind, std::int64_t unit) {
    script();
    const Duration took = finish(job(kind, 2, 1000 * unit, std::int64_t{16} << 20, unit));
    EXPECT_LT(took, milliseconds(5500));
    EXPECT_EQ(all_claimed(), 1000);
    EXPECT_LT(store.results("j").size(), 30U);
    expect_each_once(1000 * unit);
  }
  void command(OperatorVerb verb) {
    OperatorCommand command;
    command.verb = verb;
    command.names = {"j"};
    ASSERT_TRUE(supervisor->command(command));
  }
  [[nodiscard]] std::int64_t all_claimed() const {
    std::int64_t sum = 0;
    for (const auto &[position, times] : claimed) sum += times;
    return sum;
  }
  [[nodiscard]] std::int64_t asked() const {
    return std::count_if(system.diary().begin(), system.diary().end(),
                         [](const std::string &line) { return line.starts_with("share "); });
  }
  void run_until_asked() {
    for (int i = 0; i < 1000 && asked() == 0; ++i) system.run_for(milliseconds(1));
    ASSERT_EQ(asked(), 1);
  }
  std::map<std::int64_t, int> claimed;
};

TEST_F(SharesTest, TwoWorkersNeedAboutHalfTheTimeForOneSlice) {
  script();
  const Duration took = finish(one_slice(2, 1000));
  EXPECT_LT(took, milliseconds(5500));
  EXPECT_EQ(all_claimed(), 1000);
  EXPECT_GE(store.results("j").size(), 2U);
  expect_each_once(1000);
}

TEST_F(SharesTest, EightWorkersShareOneSliceToo) {
  script();
  const Duration took = finish(one_slice(8, 4000));
  EXPECT_LT(took, milliseconds(6200));
  EXPECT_EQ(all_claimed(), 4000);
  expect_each_once(4000);
}

TEST_F(SharesTest, PiecesOfTextAreShared) {
  expect_shared(InputKind::Lines, 1);
}

TEST_F(SharesTest, RecordsAreSharedWhole) {
  expect_shared(InputKind::Records, 8);
}

TEST_F(SharesTest, ItemsAreShared) {
  expect_shared(InputKind::Items, 1);
}

TEST_F(SharesTest, AShortTextInSlicesOfTheDefaultSizeIsShared) {
  expect_short_one_shared(InputKind::Lines, 1);
}

TEST_F(SharesTest, FewRecordsInSlicesOfTheDefaultSizeAreShared) {
  expect_short_one_shared(InputKind::Records, 8);
}

TEST_F(SharesTest, FewItemsInOneLargeSliceAreShared) {
  expect_short_one_shared(InputKind::Items, 1);
}

TEST_F(SharesTest, WhatIsThroughInMomentsIsNotWorthAsking) {
  script({milliseconds(1)});
  finish(one_slice(2, 90));
  EXPECT_EQ(asked(), 0);
  EXPECT_EQ(store.results("j").size(), 1U);
}

TEST_F(SharesTest, AnEndThatTurnsOutToBeSlowIsAskedForAllTheSame) {
  Claiming claiming{milliseconds(1)};
  claiming.deed = [](FakeWorker &, Interval at) { return at.begin == 80 ? Deed::Dawdle : Deed::GoOn; };
  script(claiming);
  finish(one_slice(2, 90));
  EXPECT_EQ(asked(), 1);
  EXPECT_EQ(store.results("j").size(), 2U);
  expect_each_once(90);
}

TEST_F(SharesTest, APluginThatDoesNotAllowItIsNeverAsked) {
  script();
  auto entry = one_slice(2, 300);
  entry.build.flags = 0;
  const Duration took = finish(entry);
  EXPECT_GE(took, milliseconds(3000));
  EXPECT_EQ(asked(), 0);
  EXPECT_EQ(store.results("j").size(), 1U);
}

TEST_F(SharesTest, AnEntryThatDoesNotWantItIsNeverAsked) {
  script();
  auto entry = one_slice(2, 300);
  entry.config.split = false;
  finish(entry);
  EXPECT_EQ(asked(), 0);
  EXPECT_EQ(store.results("j").size(), 1U);
}

TEST_F(SharesTest, WholeSlicesOfALeaseGoToWhoIsFreeEvenIfSlicesMayNotBeCut) {
  script({milliseconds(100)});
  auto entry = job(InputKind::Range, 2, 64, 1);
  entry.build.flags = 0;
  const Duration took = finish(entry);
  EXPECT_LT(took, milliseconds(3600));
  expect_each_once(64);
}

TEST_F(SharesTest, AFewLastPositionsAreNotWorthAsking) {
  script({milliseconds(200)});
  finish(one_slice(2, 1));
  EXPECT_EQ(asked(), 0);
}

TEST_F(SharesTest, WhoHasClaimedAllOfItHasNothingToGive) {
  script({milliseconds(10), 1000});
  const auto alarms = system.alarms();
  const Duration took = finish(one_slice(2, 300));
  EXPECT_GE(took, milliseconds(3000));
  EXPECT_EQ(store.results("j").size(), 1U);
  EXPECT_LT(system.alarms() - alarms, 20);  // nobody asks again and again
  expect_each_once(300);
}

TEST_F(SharesTest, AnAnswerThatComesLateIsAsGood) {
  script({milliseconds(10), 100});  // a claim takes a second
  const Duration took = finish(one_slice(2, 1000));
  EXPECT_LT(took, milliseconds(7000));
  EXPECT_EQ(all_claimed(), 1000);
  expect_each_once(1000);
}

TEST_F(SharesTest, AWorkerThatDiesBeforeItAnswersHasGivenAwayNothing) {
  script({milliseconds(10), 10});
  ASSERT_TRUE(apply({one_slice(2, 1000)}));
  run_until_asked();
  system.kill_from_outside("j", 0, SIGKILL);
  finish(one_slice(2, 1000));
  const auto rows = store.load()[0].rows;
  for (const SliceRow &row : rows) EXPECT_EQ(row.attempts, 1);  // the parts of what was tried again remember it
  expect_each_once(1000);
}

TEST_F(SharesTest, AWorkerThatDiesAfterItsAnswerIsChargedForWhatItKept) {
  script();
  ASSERT_TRUE(apply({one_slice(2, 1000)}));
  run_until_asked();
  system.run_for(milliseconds(100));
  ASSERT_EQ(system.alive("j").size(), 2U);
  system.kill_from_outside("j", 0, SIGKILL);
  system.run_for(milliseconds(5));
  const auto rows = store.load()[0].rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].state, SliceState::Backoff);
  EXPECT_EQ(rows[0].attempts, 1);
  EXPECT_EQ(rows[0].end, rows[1].begin);
  EXPECT_EQ(rows[1].attempts, 0);
  EXPECT_EQ(rows[1].end, 1000);
  finish(one_slice(2, 1000));
  EXPECT_EQ(store.results("j").begin()->first, 0);
  expect_each_once(1000);
}

TEST_F(SharesTest, APartIsCalledByWhereItBegins) {
  script();
  ASSERT_TRUE(apply({one_slice(2, 1000)}));
  run_until_asked();
  system.run_for(milliseconds(100));
  const std::int64_t begin = store.load()[0].rows[1].begin;
  EXPECT_EQ(entry("j").workers[1].slice, "j.0-" + std::to_string(begin));
  system.kill_from_outside("j", 1, SIGSEGV);
  EXPECT_TRUE(logged("in slice 0-" + std::to_string(begin)));
}

TEST_F(SharesTest, AHostThatDiesBetweenAskAndAnswerLosesNothing) {
  script({milliseconds(10), 10});
  ASSERT_TRUE(apply({one_slice(2, 1000)}));
  run_until_asked();
  crash_and_boot({"j"});
  finish(one_slice(2, 1000));
  expect_each_once(1000);
}

TEST_F(SharesTest, AHostThatDiesAroundACutLosesNothing) {
  script();
  for (int life = 0; life < 60; ++life) {
    ASSERT_TRUE(apply({one_slice(3, 2000)}));
    system.run_for(milliseconds(40 + 7 * (life % 13)));
    crash_and_boot({"j"});
  }
  finish(one_slice(3, 2000));
  expect_each_once(2000);
}

TEST_F(SharesTest, StopsAndStartsLoseNoWork) {
  script();
  const auto entry = job(InputKind::Range, 3, 3000, 1000);
  for (int round = 0; round < 12; ++round) {
    ASSERT_TRUE(apply({entry}));
    system.run_for(milliseconds(100 + 37 * (round % 7)));
    command(OperatorVerb::Stop);
    system.run_for(seconds(1));
    ASSERT_TRUE(system.alive("j").empty());
    command(OperatorVerb::Start);
  }
  finish(entry);
  EXPECT_EQ(all_claimed(), 3000);
  expect_each_once(3000);
}

TEST_F(SharesTest, AScaleDownAndAReplacedBuildLoseNoWork) {
  script();
  auto entry = job(InputKind::Range, 4, 4000, 1000);
  ASSERT_TRUE(apply({entry}));
  system.run_for(milliseconds(333));
  entry.config.count = 1;
  ASSERT_TRUE(apply({entry}));
  system.run_for(milliseconds(777));
  entry.config.count = 3;
  entry.build.hash = "b2";
  ASSERT_TRUE(apply({entry}));
  finish(entry);
  EXPECT_EQ(all_claimed(), 4000);
  expect_each_once(4000);
}

TEST_F(SharesTest, ProgressCountsEachPositionOfAPartOnce) {
  script();
  ASSERT_TRUE(apply({one_slice(2, 1000)}));
  for (int i = 0; i < 40; ++i) {
    system.run_for(milliseconds(97));
    const JobProgress progress = entry("j").progress;
    EXPECT_LE(progress.positions_done, all_claimed());
    EXPECT_GE(progress.positions_done, all_claimed() - 4);
  }
}

TEST_F(SharesTest, ACutThatTheWorkerMayNotMakeEndsTheWorker) {
  script();
  ASSERT_TRUE(apply({one_slice(2, 1000)}));
  system.alive("j")[0]->say(LeaseCut{1, 1000});
  system.run_for(milliseconds(1));
  EXPECT_TRUE(logged("broke the protocol"));
  finish(one_slice(2, 1000));
  expect_each_once(1000);
}

}  // namespace
}  // namespace hostler
