#include "core/poison.h"

#include <gtest/gtest.h>

#include <random>

namespace hostler {
namespace {

WorkerPart claimed(std::int64_t from, std::int64_t to, std::int64_t at = -1) {
  WorkerPart page;
  page.claimed_from = from;
  page.claimed_to = to;
  page.at = at;
  return page;
}

Manifest plan(InputKind kind, std::int64_t size, std::int64_t unit = 1) {
  const std::vector<std::string> items{"a", "b", "c", "d"};
  return {kind, {{"data", size, 1, 2, 3}}, 100, unit, 0, items, 1};
}

std::optional<Culprit> blamed(const Manifest &plan, std::int64_t slice, const WorkerPart &page,
                              const std::optional<FoundRecord> &found = {}) {
  const SliceSpan span = plan.slice_at(slice);
  return culprit(suspicion(page, {span.begin, span.end}, plan.unit()), plan, span, found);
}

TEST(Poison, TheMarkWithinTheLastClaimIsTheRecord) {
  const auto found = blamed(plan(InputKind::Range, 1000), 100, claimed(110, 150, 117));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_record && found->is_marked);
  EXPECT_EQ(found->stretch, (Interval{117, 118}));
}

TEST(Poison, AMarkOfAnEarlierClaimSaysNothing) {
  const auto found = blamed(plan(InputKind::Range, 1000), 100, claimed(110, 150, 105));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->is_record);
  EXPECT_EQ(found->stretch, (Interval{110, 150}));
}

TEST(Poison, AClaimOfOneRecordIsThatRecord) {
  const auto number = blamed(plan(InputKind::Range, 1000), 100, claimed(110, 111));
  ASSERT_TRUE(number);
  EXPECT_TRUE(number->is_record);
  EXPECT_FALSE(number->is_marked);
  const auto record = blamed(plan(InputKind::Records, 1000, 20), 100, claimed(120, 140));
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->is_record);
  EXPECT_EQ(record->stretch, (Interval{120, 140}));
  const auto item = blamed(plan(InputKind::Items, 4), 0, claimed(2, 3));
  ASSERT_TRUE(item);
  EXPECT_EQ(item->bytes, "c");
}

TEST(Poison, AMarkWithinARecordMeansAllOfIt) {
  const auto found = blamed(plan(InputKind::Records, 1000, 20), 100, claimed(100, 200, 133));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->stretch, (Interval{120, 140}));
}

TEST(Poison, WithoutClaimsItIsTheSliceOrTheMarkInIt) {
  EXPECT_EQ(blamed(plan(InputKind::Range, 1000), 100, claimed(100, 100))->stretch, (Interval{100, 200}));
  EXPECT_EQ(blamed(plan(InputKind::Range, 1000), 100, claimed(100, 100, 150))->stretch, (Interval{150, 151}));
}

TEST(Poison, AWholeFileIsNotTakenApart) {
  EXPECT_FALSE(blamed(plan(InputKind::File, 1000), 0, claimed(0, 10, 5)));
}

TEST(Poison, OfLinesOnlyTheFileKnowsWhereTheyBeginAndEnd) {
  const Manifest lines = plan(InputKind::Lines, 1000);
  const SliceSpan slice = lines.slice_at(100);
  const Suspicion suspected = suspicion(claimed(110, 150, 117), {100, 200}, 1);
  const auto query = query_for(suspected, lines, slice);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->block, (Interval{110, 150}));
  EXPECT_EQ(query->at, 117);
  EXPECT_FALSE(culprit(suspected, lines, slice, std::nullopt));
  const auto line = culprit(suspected, lines, slice, FoundRecord{{113, 130}, false, "text"});
  ASSERT_TRUE(line);
  EXPECT_TRUE(line->is_record);
  EXPECT_EQ(line->stretch, (Interval{113, 130}));
  EXPECT_EQ(line->bytes, "text");
  // Unmarked: one line of several is a block, a line alone is itself; the one that leaves the slice is cut there.
  EXPECT_FALSE(blamed(lines, 100, claimed(110, 150), FoundRecord{{113, 130}, false, {}})->is_record);
  const auto last = blamed(lines, 100, claimed(190, 200), FoundRecord{{195, 260}, true, {}});
  EXPECT_EQ(last->stretch, (Interval{195, 200}));
  EXPECT_EQ(last->record, (Interval{195, 260}));
  EXPECT_FALSE(blamed(lines, 100, claimed(110, 150), FoundRecord{{150, 160}, true, {}}));
}

TEST(Poison, WhateverAPageSaysTheCulpritLiesInTheSliceAtMultiplesOfTheUnit) {
  std::mt19937_64 random(7);
  const auto any = [&]() -> std::int64_t {
    switch (random() % 4) {
      case 0: return static_cast<std::int64_t>(random());
      case 1: return static_cast<std::int64_t>(random() % 400) - 100;
      default: return 100 + static_cast<std::int64_t>(random() % 102);
    }
  };
  for (const std::int64_t unit : {1, 20})
    for (int i = 0; i < 20'000; ++i) {
      const Manifest records = plan(unit == 1 ? InputKind::Range : InputKind::Records, 1000, unit);
      const auto found = blamed(records, 100, claimed(any(), any(), any()));
      ASSERT_TRUE(found);
      ASSERT_GE(found->stretch.begin, 100);
      ASSERT_LT(found->stretch.begin, found->stretch.end);
      ASSERT_LE(found->stretch.end, 200);
      ASSERT_EQ(found->stretch.begin % unit, 0);
      ASSERT_EQ(found->stretch.end % unit, 0);
    }
}

}  // namespace
}  // namespace hostler
