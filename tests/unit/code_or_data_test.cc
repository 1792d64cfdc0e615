#include "core/code_or_data.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

CodeOrData after(int crashes, int slices) {
  CodeOrData known;
  known.begin_anew("b1");
  for (int i = 0; i < crashes; ++i) known.crashed(i % slices);
  return known;
}

TEST(CodeOrData, FiveCrashesOnThreeSlicesAreTheCode) {
  EXPECT_FALSE(after(4, 3).verdict(1));
  EXPECT_FALSE(after(50, 2).verdict(1));
  const auto verdict = after(5, 3).verdict(1);
  ASSERT_TRUE(verdict);
  EXPECT_EQ(
      *verdict,
      "the code, not the data: 5 attempts on different slices crashed before they were past their first claim, and "
      "none was done with this build");
}

TEST(CodeOrData, ManyWorkersMakeForManyCrashes) {
  EXPECT_FALSE(after(7, 7).verdict(8));
  EXPECT_TRUE(after(8, 8).verdict(8));
}

TEST(CodeOrData, OneSliceDoneAndItIsTheData) {
  CodeOrData known = after(4, 4);
  known.done();
  for (int i = 0; i < 100; ++i) known.crashed(i);
  EXPECT_FALSE(known.verdict(1));
  EXPECT_FALSE(known.is_suspicious());
  EXPECT_TRUE(known.may_begin(1000, 1));
}

TEST(CodeOrData, ANewBuildOrAStartBeginsAnew) {
  CodeOrData known = after(5, 5);
  known.begin_anew("b2");
  EXPECT_EQ(known.build(), "b2");
  EXPECT_FALSE(known.verdict(1));
  EXPECT_TRUE(known.may_begin(4, 4));
}

TEST(CodeOrData, NoMoreBeginThanMayCrash) {
  for (int count = 1; count <= 12; ++count) {
    const int enough = std::max(5, count);
    for (int crashes = 0; crashes < enough; ++crashes)
      for (int at_work = 0; at_work <= count; ++at_work)
        EXPECT_EQ(after(crashes, 9).may_begin(at_work, count), crashes == 0 || crashes + at_work < enough)
            << count << " " << crashes << " " << at_work;
  }
}

TEST(CodeOrData, TooFewSlicesToTellHoldUpNobodyForEver) {
  EXPECT_TRUE(after(5, 2).may_begin(1, 2));
  EXPECT_TRUE(after(100, 1).may_begin(1, 2));
}

}  // namespace
}  // namespace hostler
