#include "core/lease_size.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(LeaseSize, BeginsWithOneSliceAndAtMostDoubles) {
  LeaseSize size;
  EXPECT_EQ(size.next(1000000, 2), 1);
  size.took(1, microseconds(1));
  EXPECT_EQ(size.next(1000000, 2), 2);
  size.took(2, microseconds(2));
  EXPECT_EQ(size.next(1000000, 2), 4);
}

TEST(LeaseSize, SettlesAtAQuarterOfASecond) {
  LeaseSize size;
  for (int i = 0; i < 40; ++i) size.took(size.next(1 << 30, 1), microseconds(100) * size.next(1 << 30, 1));
  EXPECT_EQ(size.next(1 << 30, 1), 2500);
}

TEST(LeaseSize, SlowSlicesGoOneByOne) {
  LeaseSize size;
  for (int i = 0; i < 10; ++i) size.took(8, seconds(8));
  EXPECT_EQ(size.next(1000, 2), 1);
}

TEST(LeaseSize, NearTheEndEveryWorkerGetsItsShare) {
  LeaseSize size;
  for (int i = 0; i < 30; ++i) size.took(1 << 20, microseconds(1));
  EXPECT_EQ(size.next(16, 4), 2);
  EXPECT_EQ(size.next(3, 4), 1);
  EXPECT_EQ(size.next(0, 4), 1);
}

}  // namespace
}  // namespace hostler
