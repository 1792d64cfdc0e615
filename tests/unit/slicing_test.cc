#include "core/slicing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace hostler {
namespace {

Manifest files(InputKind kind, const std::vector<std::int64_t> &sizes, std::int64_t slice, std::int64_t unit = 1) {
  std::vector<Input> inputs;
  for (const std::int64_t size : sizes) inputs.push_back({"f" + std::to_string(inputs.size()), size, 0, 0, 0});
  return {kind, std::move(inputs), slice, unit, 0, {}, 1};
}

Manifest range(std::int64_t begin, std::int64_t end, std::int64_t slice, std::int32_t workers = 1) {
  return {InputKind::Range, {{"", end - begin, 0, 0, 0}}, slice, 1, begin, {}, workers};
}

std::vector<SliceSpan> all_slices(const Manifest &manifest) {
  std::vector<SliceSpan> slices;
  for (std::int64_t p = 0; p < manifest.positions(); p = slices.back().global.end) {
    slices.push_back(manifest.slice_at(p));
    if (slices.back().global.end <= p) break;
  }
  return slices;
}

TEST(Slicing, LinesAreCutAtTheSliceSizeWithinEachFile) {
  const std::vector<SliceSpan> slices = all_slices(files(InputKind::Lines, {10, 4, 5}, 4));
  ASSERT_EQ(slices.size(), 6U);
  EXPECT_EQ(slices[2], (SliceSpan{2, 0, 8, 10, {8, 10}}));
  EXPECT_EQ(slices[3], (SliceSpan{3, 1, 0, 4, {10, 14}}));
  EXPECT_EQ(slices[5], (SliceSpan{5, 2, 4, 5, {18, 19}}));
}

TEST(Slicing, AnEmptyTextFileHasNoSlice) {
  const Manifest manifest = files(InputKind::Lines, {0, 3, 0, 0, 2, 0}, 10);
  const std::vector<SliceSpan> slices = all_slices(manifest);
  ASSERT_EQ(slices.size(), 2U);
  EXPECT_EQ(slices[0], (SliceSpan{0, 1, 0, 3, {0, 3}}));
  EXPECT_EQ(slices[1], (SliceSpan{1, 4, 0, 2, {3, 5}}));
  EXPECT_EQ(files(InputKind::Lines, {0, 0}, 10).slice_count(), 0);
  EXPECT_EQ(files(InputKind::Lines, {}, 10).positions(), 0);
}

TEST(Slicing, AWholeFileIsOneSliceEvenWhenItIsEmpty) {
  const std::vector<SliceSpan> slices = all_slices(files(InputKind::File, {0, 100, 0}, 0));
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[0], (SliceSpan{0, 0, 0, 0, {0, 1}}));
  EXPECT_EQ(slices[1], (SliceSpan{1, 1, 0, 100, {1, 101}}));
  EXPECT_EQ(slices[2], (SliceSpan{2, 2, 0, 0, {101, 102}}));
}

TEST(Slicing, AnInputThatIsGoneHoldsNothing) {
  for (const InputKind kind : {InputKind::File, InputKind::Lines}) {
    const Manifest manifest = files(kind, {3, kGone, 3}, 10);
    EXPECT_EQ(manifest.slice_count(), 2);
    EXPECT_EQ(manifest.extent(1), 0);
    EXPECT_EQ(manifest.slice_at(manifest.offset(2)).input, 2);
  }
}

TEST(Slicing, RecordSlicesAreWholeRecords) {
  EXPECT_EQ(files(InputKind::Records, {1000}, 100, 30).slice_size(), 90);
  EXPECT_EQ(files(InputKind::Records, {1000}, 10, 30).slice_size(), 30);
  EXPECT_EQ(files(InputKind::Records, {1000}, 0, 1000).slice_size(), (std::int64_t{16} << 20) / 1000 * 1000);
  EXPECT_EQ(files(InputKind::Records, {1000}, 0, std::int64_t{1} << 30).slice_size(), std::int64_t{1} << 30);
}

TEST(Slicing, TheDefaultGivesEachWorkerSixtyFourSlices) {
  EXPECT_EQ(range(0, 6400, 0, 10).slice_count(), 640);
  EXPECT_EQ(range(0, 5, 0, 10).slice_count(), 5);
  EXPECT_EQ(range(0, 0, 0, 10).slice_count(), 0);
  EXPECT_EQ(files(InputKind::Lines, {100}, 0).slice_size(), std::int64_t{16} << 20);
}

TEST(Slicing, RangesCountFromTheirBegin) {
  const Manifest manifest = range(1000, 1025, 10);
  EXPECT_EQ(manifest.slice_at(0), (SliceSpan{0, 0, 1000, 1010, {0, 10}}));
  EXPECT_EQ(manifest.slice_at(24), (SliceSpan{2, 0, 1020, 1025, {20, 25}}));
}

TEST(Slicing, ASliceIsCutToWhatIsAskedFor) {
  EXPECT_EQ(range(100, 200, 10).slice_at(15, {13, 17}), (SliceSpan{1, 0, 113, 117, {13, 17}}));
  EXPECT_EQ(range(100, 200, 10).slice_at(13, {0, 14}), (SliceSpan{1, 0, 110, 114, {10, 14}}));
}

TEST(Slicing, InputsThatPositionsCannotCountDoNotFit) {
  const auto inputs = [](const std::vector<std::int64_t> &sizes) {
    std::vector<Input> made;
    for (const std::int64_t size : sizes) made.push_back({"", size, 0, 0, 0});
    return made;
  };
  EXPECT_TRUE(Manifest::fits(inputs({std::int64_t{1} << 61, 5})));
  EXPECT_FALSE(Manifest::fits(inputs({std::int64_t{1} << 61, std::int64_t{1} << 61})));
  EXPECT_FALSE(Manifest::fits(inputs({INT64_MAX, INT64_MAX})));
}

// Every manifest of up to three inputs with sizes up to seven, every slice size up to eight: compared with a list.
void check_against_list(const Manifest &manifest) {
  const std::vector<SliceSpan> slices = all_slices(manifest);
  ASSERT_EQ(manifest.slice_count(), static_cast<std::int64_t>(slices.size()));
  std::int64_t next = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const SliceSpan &slice = slices[i];
    ASSERT_EQ(slice.index, static_cast<std::int64_t>(i));
    ASSERT_EQ(slice.global.begin, next);
    ASSERT_GT(slice.global.end, slice.global.begin);
    ASSERT_GE(slice.global.begin, manifest.offset(slice.input));
    ASSERT_LE(slice.global.end, manifest.offset(slice.input) + manifest.extent(slice.input));
    next = slice.global.end;
    for (std::int64_t p = slice.global.begin; p < slice.global.end; ++p) ASSERT_EQ(manifest.slice_at(p), slice);
    for (std::int64_t n = 1; n <= static_cast<std::int64_t>(slices.size()) + 1; ++n) {
      const std::size_t last = std::min(i + static_cast<std::size_t>(n), slices.size()) - 1;
      ASSERT_EQ(manifest.end_of_run(slice.global.begin, n), slices[last].global.end);
    }
  }
  ASSERT_EQ(next, manifest.positions());
  for (std::int64_t from = 0; from <= manifest.positions(); ++from)
    for (std::int64_t to = from; to <= manifest.positions(); ++to)
      ASSERT_EQ(manifest.slices_in({from, to}),
                std::count_if(slices.begin(), slices.end(), [&](const SliceSpan &slice) {
                  return slice.global.begin >= from && slice.global.begin < to;
                }));
}

TEST(Slicing, EverySmallPlanCoversEveryPositionOnce) {
  for (const InputKind kind : {InputKind::Lines, InputKind::Records, InputKind::File})
    for (std::int64_t slice = 1; slice <= 6; ++slice)
      for (std::int64_t a = 0; a <= 6; ++a)
        for (std::int64_t b = 0; b <= 6; ++b)
          for (const std::int64_t c : {0, 1, 6})
            ASSERT_NO_FATAL_FAILURE(check_against_list(files(kind, {a, b, c}, slice, 2)));
}

TEST(Slicing, RandomPlansCoverEveryPositionOnce) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::int64_t> sizes(random() % 12);
    for (std::int64_t &size : sizes) size = static_cast<std::int64_t>(random() % 9) - 1;
    const auto slice = static_cast<std::int64_t>(1 + random() % 5);
    for (const InputKind kind : {InputKind::Lines, InputKind::File})
      ASSERT_NO_FATAL_FAILURE(check_against_list(files(kind, sizes, slice)));
  }
}

TEST(Slicing, AMillionInputsArePlannedInOneGo) {
  const Manifest manifest = files(InputKind::Lines, std::vector<std::int64_t>(1'000'000, 100), 30);
  EXPECT_EQ(manifest.slice_count(), 4'000'000);
  EXPECT_EQ(manifest.slice_at(99'999'999), (SliceSpan{3'999'999, 999'999, 90, 100, {99'999'990, 100'000'000}}));
  EXPECT_EQ(manifest.end_of_run(0, 2'000'001), 50'000'030);
}

TEST(Slicing, BillionsOfSlicesCostNothingUntilTheyRun) {
  const Manifest manifest = range(0, 10'000'000'000, 10);
  EXPECT_EQ(manifest.slice_count(), 1'000'000'000);
  EXPECT_EQ(manifest.slice_at(9'999'999'999).index, 999'999'999);
  EXPECT_EQ(manifest.end_of_run(500, 100'000), 1'000'500);
  EXPECT_EQ(manifest.slices_in({15, 9'999'999'995}), 999'999'998);
}

}  // namespace
}  // namespace hostler
