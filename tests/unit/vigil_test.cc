#include "core/vigil.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(1)};

WorkerPart running(std::int64_t begun, std::uint64_t beats = 0, Stage stage = Stage::Running) {
  WorkerPart page;
  page.layout = kPageLayout;
  page.stage = static_cast<std::uint32_t>(stage);
  page.begun = begun;
  page.beats = beats;
  return page;
}

TEST(Vigil, AWorkerMayTakeAMinuteToLoadOrAsLongAsTheWatchdogSays) {
  Vigil vigil;
  vigil.begin(kStart);
  const WorkerPart page = running(-1, 0, Stage::Loading);
  EXPECT_EQ(vigil.next_look(false, {}, kStart), kStart + seconds(60));
  EXPECT_FALSE(vigil.look(page, false, false, {}, kStart + seconds(59)));
  EXPECT_EQ(vigil.look(page, false, false, {}, kStart + seconds(60))->reason, "hung: not ready to run after 1m");
  const VigilLimits shorter{seconds(5), {}, false};
  const VigilLimits longer{seconds(300), {}, false};
  EXPECT_EQ(vigil.look(page, false, false, shorter, kStart + seconds(5))->kind, Overdue::Kind::Hung);
  EXPECT_FALSE(vigil.look(page, false, false, longer, kStart + seconds(299)));
}

TEST(Vigil, SilenceForTheWholeLimitIsHungAndLessIsNot) {
  const VigilLimits limits{seconds(8), {}, false};
  Vigil vigil;
  vigil.begin(kStart);
  EXPECT_FALSE(vigil.look(running(0), true, true, limits, kStart));
  EXPECT_FALSE(vigil.look(running(0), true, true, limits, kStart + milliseconds(7999)));
  const auto overdue = vigil.look(running(0), true, true, limits, kStart + seconds(8));
  ASSERT_TRUE(overdue);
  EXPECT_EQ(*overdue, (Overdue{Overdue::Kind::Hung, "hung: no sign of life for 8s"}));
}

TEST(Vigil, EveryKindOfLifeCounts) {
  const VigilLimits limits{seconds(8), {}, true};
  WorkerPart claims = running(0);
  claims.claimed_to = 5;
  for (const WorkerPart &alive : {running(0, 1), running(10), claims, running(0, 0, Stage::Returned)}) {
    Vigil vigil;
    vigil.begin(kStart);
    EXPECT_FALSE(vigil.look(running(0), true, true, limits, kStart));
    EXPECT_FALSE(vigil.look(alive, true, true, limits, kStart + seconds(7)));
    EXPECT_FALSE(vigil.look(alive, true, true, limits, kStart + seconds(14)));
    EXPECT_TRUE(vigil.look(alive, true, true, limits, kStart + seconds(15)));
  }
}

TEST(Vigil, OneThatWaitsForWorkOrMakesFilesDurableIsNeverOverdue) {
  const VigilLimits limits{seconds(1), seconds(1), true};
  Vigil vigil;
  vigil.begin(kStart);
  EXPECT_FALSE(vigil.look(running(0, 0, Stage::Idle), true, false, limits, kStart + seconds(100)));
  EXPECT_FALSE(vigil.look(running(0, 0, Stage::Settling), true, true, limits, kStart + seconds(200)));
  EXPECT_FALSE(vigil.look(running(0, 0, Stage::Settling), true, true, limits, kStart + seconds(300)));
}

TEST(Vigil, OneThatNeverBeginsTheWorkItHasIsHungButNotOutOfTime) {
  Vigil vigil;
  vigil.begin(kStart);
  const WorkerPart idle = running(-1, 0, Stage::Idle);
  EXPECT_FALSE(vigil.look(idle, true, true, {{}, seconds(1), true}, kStart + seconds(100)));
  EXPECT_FALSE(vigil.look(idle, true, true, {seconds(1), {}, true}, kStart + seconds(100)));
  EXPECT_TRUE(vigil.look(idle, true, true, {seconds(1), {}, true}, kStart + seconds(101)));
}

TEST(Vigil, ASliceHasItsOwnTimeHoweverMuchItBeats) {
  const VigilLimits limits{seconds(60), seconds(8), true};
  Vigil vigil;
  vigil.begin(kStart);
  for (int second = 0; second < 8; ++second)
    EXPECT_FALSE(
        vigil.look(running(0, static_cast<std::uint64_t>(second)), true, true, limits, kStart + seconds(second)));
  const auto overdue = vigil.look(running(0, 9), true, true, limits, kStart + seconds(8));
  ASSERT_TRUE(overdue);
  EXPECT_EQ(*overdue, (Overdue{Overdue::Kind::Slice, "out of time: over its time limit of 8s"}));
  // The next one begins anew, and so does the same one on a second attempt.
  EXPECT_FALSE(vigil.look(running(10, 9), true, true, limits, kStart + seconds(9)));
  EXPECT_FALSE(vigil.look(running(10, 9), true, true, limits, kStart + seconds(16)));
  vigil.progressed(kStart + seconds(16));
  EXPECT_FALSE(vigil.look(running(10, 9), true, true, limits, kStart + seconds(23)));
  EXPECT_TRUE(vigil.look(running(10, 9), true, true, limits, kStart + seconds(24)));
}

TEST(Vigil, AServiceHasNoTimeLimit) {
  Vigil vigil;
  vigil.begin(kStart);
  const VigilLimits limits{{}, seconds(1), false};
  EXPECT_FALSE(vigil.look(running(0), true, true, limits, kStart + seconds(100)));
  EXPECT_FALSE(vigil.next_look(true, limits, kStart));
}

TEST(Vigil, LooksEightTimesForEachLimitAndNeverInThePast) {
  Vigil vigil;
  vigil.begin(kStart);
  EXPECT_EQ(vigil.next_look(true, {seconds(8), {}, false}, kStart), kStart + seconds(1));
  EXPECT_EQ(vigil.next_look(true, {seconds(8), seconds(4), true}, kStart), kStart + milliseconds(500));
  EXPECT_EQ(vigil.next_look(true, {seconds(8), {}, false}, kStart + milliseconds(7500)), kStart + seconds(8));
  EXPECT_EQ(vigil.next_look(true, {seconds(8), {}, false}, kStart + seconds(100)), kStart + seconds(100));
  EXPECT_FALSE(vigil.next_look(true, {}, kStart));
}

}  // namespace
}  // namespace hostler
