#include "core/slice_range.h"

#include <gtest/gtest.h>

#include <limits>

namespace hostler {
namespace {

Manifest files(InputKind kind) {
  return {kind, {{"a", 25, 1, 2, 3}, {"b", 0, 1, 2, 4}, {"c", 12, 1, 2, 5}}, 10, 1, 0, {}, 1};
}

TEST(SliceRange, NamesAStretchByInputsAndLocalPositions) {
  EXPECT_EQ(range_of(files(InputKind::Lines), {10, 20}), (SliceRange{false, 0, 10, 0, 20, 1, 10}));
  EXPECT_EQ(range_of(files(InputKind::Lines), {20, 37}), (SliceRange{false, 0, 20, 2, 12, 3, 17}));
  // An empty whole file has one position.
  EXPECT_EQ(range_of(files(InputKind::File), {0, 38}), (SliceRange{false, 0, 0, 2, 12, 3, 38}));
  const Manifest numbers(InputKind::Range, {{"", 30, 0, 0, 0}}, 10, 1, -7, {}, 1);
  EXPECT_EQ(range_of(numbers, {10, 30}), (SliceRange{false, 0, 3, 0, 23, 2, 20}));
}

TEST(SliceRange, ThePartOfASliceIsOneSlice) {
  EXPECT_EQ(range_of(files(InputKind::Lines), {3, 7}), (SliceRange{false, 0, 3, 0, 7, 1, 4}));
}

TEST(SliceRange, TheMergeIsARangeOfItsOwn) {
  const Manifest plan = files(InputKind::Lines);
  EXPECT_TRUE(range_of(plan, {37, 38}).merge);
  EXPECT_EQ(place_name(range_of(plan, {37, 38})), "merge");
}

TEST(SliceRange, APlaceMakesTheRoundTrip) {
  for (const InputKind kind : {InputKind::Lines, InputKind::File}) {
    const Manifest plan = files(kind);
    for (std::int64_t p = 0; p < plan.positions(); ++p) {
      const std::string place = place_name(range_of(plan, {p, p + 1}));
      EXPECT_EQ(position_of(plan, "j", place).value_or(-1), p) << place;
      EXPECT_EQ(position_of(plan, "j", "j." + place).value_or(-1), p) << place;
    }
    EXPECT_EQ(*position_of(plan, "j", "merge"), plan.positions());
  }
  const Manifest numbers(InputKind::Range, {{"", 30, 0, 0, 0}}, 10, 1, -7, {}, 1);
  EXPECT_EQ(*position_of(numbers, "j", "0--7"), 0);
  EXPECT_EQ(*position_of(numbers, "j", "0-3"), 10);
}

TEST(SliceRange, WhatIsNoSliceIsRefused) {
  const Manifest plan = files(InputKind::Lines);
  for (const char *bad : {"", "0", "-", "0-", "-1", "x-0", "0-x", "0-25", "1-0", "3-0", "-1-0", "0--1", "other.0-0",
                          "0-9223372036854775807", "99999999999-0", "merge2"})
    EXPECT_FALSE(position_of(plan, "j", bad)) << bad;
  const Manifest low(InputKind::Range, {{"", 30, 0, 0, 0}}, 10, 1, std::numeric_limits<std::int64_t>::min(), {}, 1);
  EXPECT_FALSE(position_of(low, "j", "0-9223372036854775807"));
  EXPECT_EQ(*position_of(low, "j", "0--9223372036854775808"), 0);
}

TEST(SliceRange, ASliceIsNamedBehindTheLastDotOfItsJob) {
  const auto name = parse_slice_name("my.job.3-10");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->job, "my.job");
  EXPECT_EQ(name->place, "3-10");
  for (const char *bad : {"", "job", ".0-0", "job."}) EXPECT_FALSE(parse_slice_name(bad)) << bad;
}

}  // namespace
}  // namespace hostler
