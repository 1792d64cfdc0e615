// Checkpoints and what is put aside, in the ledger.
#include <gtest/gtest.h>

#include <memory>

#include "edge/ledger.h"
#include "edge/stored_jobs.h"
#include "edge/temp_dir.h"

namespace hostler {
namespace {

class LedgerSegments : public testing::Test {
 protected:
  TempDir dir;
  Ledger ledger = open();
  StoredJob job = range_job("sums", 100, "/o");

  LedgerSegments() { apply({CreateJob{job}}); }

  Ledger open() {
    Result<Ledger> opened = Ledger::open(dir.path("ledger.sqlite"));
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().text());
    return std::move(*opened);
  }
  void apply(const StoreBatch &batch) {
    ASSERT_TRUE(ledger.begin());
    const Result<void> applied = ledger.apply(batch);
    ASSERT_TRUE(applied) << applied.error().text();
    ASSERT_TRUE(ledger.commit());
  }
  // A segment of the slice that begins at 20.
  void end_segment(std::int64_t position, std::map<std::string, std::int64_t> all,
                   std::map<std::string, std::int64_t> since, std::vector<Aside> skipped = {}) {
    auto checkpoint = std::make_shared<Checkpoint>();
    checkpoint->position = position;
    checkpoint->state_version = 3;
    checkpoint->counters = std::move(all);
    checkpoint->attempt_dir = "/o/.attempts/0-20.1";
    checkpoint->files = {{"a", position}, {"b", 0}};
    apply({PutRows{"sums", {put_row(20, 30, SliceState::Leased)}}, AddCounters{"sums", std::move(since), false},
           PutAside{"sums", 0, 20, std::move(skipped)},
           PutCheckpoint{"sums", 0, 20, 20, checkpoint, "state " + std::to_string(position)}});
  }
  StoredJob load() {
    Result<std::optional<StoredJob>> found = ledger.load_job("sums");
    EXPECT_TRUE(found && *found);
    return found && *found ? std::move(**found) : StoredJob{};
  }
  std::vector<Aside> asides() {
    std::vector<Aside> all;
    EXPECT_TRUE(ledger.for_each_aside("sums", [&](std::int32_t, const Aside &aside) -> Result<void> {
      all.push_back(aside);
      return {};
    }));
    return all;
  }
};

TEST_F(LedgerSegments, ACheckpointIsReadAsItWasWritten) {
  end_segment(24, {{"n", 3}}, {{"n", 3}}, {{21, 22, std::string("\0x", 2), "bad"}});
  end_segment(27, {{"n", 5}, {"m", 1}}, {{"n", 2}, {"m", 1}}, {{25, 27, "", "worse"}});
  ledger = open();
  const StoredJob read = load();
  ASSERT_EQ(read.rows.size(), 1U);
  ASSERT_TRUE(read.rows[0].checkpoint);
  const Checkpoint expected{27, 3, {{"n", 5}, {"m", 1}}, {3, 3}, "/o/.attempts/0-20.1", {{"a", 27}, {"b", 0}}};
  EXPECT_EQ(*read.rows[0].checkpoint, expected);
  EXPECT_EQ(read.counters, (std::map<std::string, std::int64_t>{{"n", 5}, {"m", 1}}));
  EXPECT_EQ(read.skipped, (Skipped{3, 3}));
  EXPECT_EQ(ledger.checkpoint_data("sums", 0, 20)->value(), "state 27");
  EXPECT_EQ(asides(), (std::vector<Aside>{{21, 22, std::string("\0x", 2), "bad"}, {25, 27, "", "worse"}}));
}

TEST_F(LedgerSegments, WhatIsDoneKeepsWhatItsSegmentsHaveLeft) {
  end_segment(24, {{"n", 3}}, {{"n", 3}}, {{21, 22, "", "bad"}});
  apply({PutRows{"sums", {put_row(20, 30, SliceState::Done)}}, EndCheckpoint{"sums", 0, 20, false}});
  const StoredJob read = load();
  EXPECT_FALSE(read.rows[0].checkpoint);
  EXPECT_EQ(read.counters.at("n"), 3);
  EXPECT_EQ(read.skipped, (Skipped{1, 1}));
  EXPECT_FALSE(*ledger.checkpoint_data("sums", 0, 20));
}

TEST_F(LedgerSegments, WhatBeginsAnewLosesIt) {
  apply({AddCounters{"sums", {{"n", 100}}, false}, PutAside{"sums", 0, 40, {{41, 42, "", "another's"}}}});
  end_segment(24, {{"n", 3}}, {{"n", 3}}, {{21, 22, "", "bad"}});
  apply({EndCheckpoint{"sums", 0, 20, true}});
  const StoredJob read = load();
  EXPECT_FALSE(read.rows[0].checkpoint);
  EXPECT_EQ(read.counters.at("n"), 100);
  EXPECT_EQ(asides(), (std::vector<Aside>{{41, 42, "", "another's"}}));
}

TEST_F(LedgerSegments, APlanThatKeepsTheSliceKeepsItsCheckpointAtItsNewPlace) {
  end_segment(24, {{"n", 3}}, {{"n", 3}}, {{21, 22, "", "bad"}});
  StoredJob later = load();
  later.manifest = Manifest(InputKind::Range, {{"", 90, 0, 0, 0}}, 10, 1, 10, {}, 1);
  auto moved = std::make_shared<Checkpoint>(*later.rows[0].checkpoint);
  moved->position = 14;
  later.rows = {{10, 20, SliceState::Ready, 0, 0, {}, moved}};
  apply({ReplanJob{later}});
  const StoredJob read = load();
  ASSERT_EQ(read.rows.size(), 1U);
  ASSERT_TRUE(read.rows[0].checkpoint);
  EXPECT_EQ(read.rows[0].checkpoint->position, 14);
  EXPECT_EQ(read.counters.at("n"), 3);
  EXPECT_EQ(read.skipped, (Skipped{1, 1}));
  EXPECT_EQ(ledger.checkpoint_data("sums", 0, 20)->value(), "state 24");
}

TEST_F(LedgerSegments, APlanThatDropsTheSliceTakesBackWhatItHadLeft) {
  end_segment(24, {{"n", 3}}, {{"n", 3}}, {{21, 22, "", "bad"}});
  StoredJob later = load();
  later.rows.clear();
  apply({ReplanJob{later}});
  EXPECT_EQ(load().counters.at("n"), 0);
  EXPECT_TRUE(asides().empty());
  EXPECT_FALSE(*ledger.checkpoint_data("sums", 0, 20));
}

TEST_F(LedgerSegments, AJobBegunAnewHasNone) {
  end_segment(24, {{"n", 3}}, {{"n", 3}}, {{21, 22, "", "bad"}});
  apply({CreateJob{job}});
  EXPECT_TRUE(load().rows.empty());
  EXPECT_EQ(load().skipped, Skipped{});
  EXPECT_TRUE(asides().empty());
}

TEST_F(LedgerSegments, ABatchThatFailsTakesNothingBack) {
  end_segment(24, {{"n", 3}}, {{"n", 3}});
  ASSERT_TRUE(ledger.begin());
  EXPECT_FALSE(ledger.apply({EndCheckpoint{"sums", 0, 20, true}, AddCounters{"nobody", {{"n", 1}}, false}}));
  ASSERT_TRUE(ledger.commit());
  EXPECT_EQ(load().counters.at("n"), 3);
  EXPECT_TRUE(load().rows[0].checkpoint);
}

TEST_F(LedgerSegments, LargeOnesAreWhole) {
  auto checkpoint = std::make_shared<Checkpoint>();
  checkpoint->position = 24;
  std::string data(std::size_t{16} << 20, '\0');
  for (std::size_t i = 0; i < data.size(); i += 4096) data[i] = static_cast<char>(i >> 12);
  apply({PutCheckpoint{"sums", 0, 20, 20, checkpoint, data}});
  EXPECT_EQ(ledger.checkpoint_data("sums", 0, 20)->value(), data);
}

}  // namespace
}  // namespace hostler
