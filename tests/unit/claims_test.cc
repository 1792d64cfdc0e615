// Claims of a slice that goes on at a checkpoint, and where a segment of it may end. (claims_model_test has the protocol.)
#include "core/claims.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace hostler {
namespace {

struct Host {
  std::uint32_t stop = 0;
  std::uint32_t shares = 0;
  std::vector<LeaseCut> cuts;

  [[nodiscard]] std::uint64_t wishes() const { return std::uint64_t{stop} << 32 | shares; }
  [[nodiscard]] std::uint32_t stop_word() const { return stop; }
  [[nodiscard]] std::uint32_t shares_asked() const { return shares; }
  [[nodiscard]] bool signalled() const { return false; }
  void tell(const LeaseCut &cut) { cuts.push_back(cut); }
};

const Manifest kPlan(InputKind::Records, {{"f", 100, 1, 2, 3}}, 100, 10, 0, {}, 1);

// At work on the only slice, from `resume` on.
SliceSpan begin(Claims &claims, Host &host, std::int64_t resume, bool may_split = true) {
  claims.lend({1, &kPlan, {0, 100}, 0, may_split, resume});
  const auto slice = claims.next_slice(host, 0);
  claims.enter(*slice, 10, resume);
  return *slice;
}

TEST(Claims, BeginWhereTheCheckpointStood) {
  Host host;
  Claims claims;
  begin(claims, host, 40);
  EXPECT_EQ(claims.claim(host, 0, 10), -EINVAL);
  EXPECT_EQ(claims.claim(host, 40, 50), 50);
}

TEST(Claims, NoShareIsGivenOfWhatACheckpointCovers) {
  Host host;
  Claims claims;
  host.shares = 1;
  const SliceSpan slice = begin(claims, host, 60);
  EXPECT_EQ(host.cuts, (std::vector<LeaseCut>{{1, 80}}));
  EXPECT_EQ(slice.end, 80);
  EXPECT_EQ(claims.claim(host, 60, 100), 80);
}

TEST(Claims, WithNothingLeftThereIsNothingToGiveOrToClaim) {
  Host host;
  Claims claims;
  host.shares = 1;
  const SliceSpan slice = begin(claims, host, 100);
  EXPECT_TRUE(host.cuts.empty());
  EXPECT_EQ(claims.claim(host, 100, 110), 100);
  EXPECT_EQ(claims.covered(slice).claimed_to, 100);
}

TEST(Claims, AStopKeepsWhatACheckpointCovers) {
  Host host;
  Claims claims;
  const SliceSpan slice = begin(claims, host, 40);
  host.stop = static_cast<std::uint32_t>(StopWord::Drain);
  EXPECT_EQ(claims.claim(host, 40, 50), 40);
  EXPECT_EQ(host.cuts, (std::vector<LeaseCut>{{1, 40}}));
  EXPECT_EQ(claims.covered(slice).slice.end, 40);
}

TEST(Claims, ASegmentEndsWithinWhatIsGrantedAtAUnit) {
  Host host;
  Claims claims;
  begin(claims, host, 20);
  EXPECT_EQ(claims.claim(host, 20, 60), 60);
  EXPECT_FALSE(claims.may_checkpoint(20));
  EXPECT_FALSE(claims.may_checkpoint(35));
  EXPECT_FALSE(claims.may_checkpoint(70));
  ASSERT_TRUE(claims.may_checkpoint(40));
  claims.checkpointed(40);
  EXPECT_FALSE(claims.may_checkpoint(40));
  EXPECT_TRUE(claims.may_checkpoint(60));
  EXPECT_EQ(claims.claim(host, 60, 70), 70);  // the claims are where they were
}

TEST(Claims, WithoutAnyASegmentMayEndAnywhere) {
  Host host;
  Claims claims;
  begin(claims, host, 0);
  ASSERT_TRUE(claims.may_checkpoint(50));
  claims.checkpointed(50);
  EXPECT_TRUE(claims.may_checkpoint(100));
  EXPECT_FALSE(claims.called());
  EXPECT_EQ(claims.claim(host, 50, 60), 60);
}

// Two of the same, one of which is asked for the short way first.
TEST(Claims, WhatIsGrantedTheShortWayWouldBeGrantedTheLongWay) {
  for (const std::int64_t unit : {1, 10}) {
    Host host;
    Claims one;
    one.enter(begin(one, host, 20), unit, 20);
    Claims other = one;
    std::int64_t next = 20;
    int granted = 0;
    for (const std::int64_t step : {10, 10, 0, -10, 7, 20, 10, 100, 10})
      for (const std::int64_t from : {next, next - 10, next + 10}) {
        const bool at_once = one.grant(host, from, from + step);
        const std::int64_t end = at_once ? from + step : one.claim(host, from, from + step);
        EXPECT_EQ(end, other.claim(host, from, from + step)) << unit << ": " << from << " and " << step;
        next = std::max(next, end);
        granted += at_once ? 1 : 0;
      }
    EXPECT_GT(granted, 1);
  }
}

TEST(Claims, NothingIsGrantedTheShortWayBeforeTheFirstClaimOrAfterTheSlice) {
  Host host;
  Claims claims;
  begin(claims, host, 0);
  EXPECT_FALSE(claims.grant(host, 0, 10));
  EXPECT_EQ(claims.claim(host, 0, 10), 10);
  EXPECT_TRUE(claims.grant(host, 10, 20));
  claims.close();
  EXPECT_FALSE(claims.grant(host, 20, 30));
}

TEST(Claims, NothingIsGrantedTheShortWayThatTheHostHasAnAnswerToOrThatIsTheLast) {
  Host host;
  Claims claims;
  begin(claims, host, 0);
  EXPECT_EQ(claims.claim(host, 0, 10), 10);
  host.shares = 1;
  EXPECT_FALSE(claims.grant(host, 10, 20));
  EXPECT_EQ(claims.claim(host, 10, 20), 20);
  EXPECT_EQ(host.cuts, (std::vector<LeaseCut>{{1, 60}}));
  EXPECT_FALSE(claims.grant(host, 20, 40));  // more than a unit: claim() counts
  EXPECT_TRUE(claims.grant(host, 20, 30));
  EXPECT_EQ(claims.claim(host, 30, 50), 50);
  EXPECT_FALSE(claims.grant(host, 50, 60));
  EXPECT_EQ(claims.claim(host, 50, 60), 60);
  EXPECT_EQ(claims.claim(host, 60, 70), 60);
}

TEST(Claims, WhatIsSkippedBeginsBehindTheCheckpointWithinWhatIsGranted) {
  Host host;
  Claims claims;
  begin(claims, host, 20);
  EXPECT_EQ(claims.claim(host, 20, 60), 60);
  EXPECT_TRUE(claims.may_skip(20, 30, 100));
  EXPECT_TRUE(claims.may_skip(50, 100, 100));
  EXPECT_FALSE(claims.may_skip(10, 30, 100));
  EXPECT_FALSE(claims.may_skip(60, 70, 100));
  EXPECT_FALSE(claims.may_skip(50, 110, 100));
  EXPECT_FALSE(claims.may_skip(25, 35, 100));
  EXPECT_FALSE(claims.may_skip(30, 30, 100));
}

}  // namespace
}  // namespace hostler
