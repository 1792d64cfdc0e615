#include "core/restart_policy.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RestartConfig plain() {
  RestartConfig config;
  config.jitter = 0;
  return config;
}

TEST(RestartPolicy, TheDelayGrowsByTheFactorUpToTheCap) {
  EXPECT_EQ(backoff_delay(plain(), 1, 0.5), milliseconds(100));
  EXPECT_EQ(backoff_delay(plain(), 2, 0.5), milliseconds(200));
  EXPECT_EQ(backoff_delay(plain(), 5, 0.5), milliseconds(1600));
  for (const int failures : {10, 100, 1000000, 2147483647})
    EXPECT_EQ(backoff_delay(plain(), failures, 0.5), seconds(30)) << failures;
}

TEST(RestartPolicy, JitterSpreadsTheDelayAroundItselfAndNeverOverTheCap) {
  RestartConfig config;
  config.jitter = 0.2;
  EXPECT_EQ(backoff_delay(config, 1, 0), milliseconds(80));
  EXPECT_LT(backoff_delay(config, 1, 0.999), milliseconds(120));
  EXPECT_GT(backoff_delay(config, 1, 0.999), milliseconds(119));
  EXPECT_LE(backoff_delay(config, 50, 0.999), config.max_delay);
}

TEST(RestartPolicy, BackoffIsResetAfterAGoodRun) {
  RestartPolicy policy;
  TimePoint now{};
  for (int i = 0; i < 4; ++i) (void)policy.failed(plain(), now += seconds(40), seconds(1), 0);
  EXPECT_EQ(policy.failed(plain(), now += seconds(40), seconds(59), 0).delay, milliseconds(1600));
  EXPECT_EQ(policy.failed(plain(), now += seconds(90), seconds(60), 0).delay, milliseconds(100));
}

TEST(RestartPolicy, GivesUpAtTheLimitWithinTheWindowAndSaysSo) {
  RestartPolicy policy;
  TimePoint now{};
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(policy.failed(plain(), now += seconds(1), Duration{}, 0).give_up) << i;
  const RestartDecision decision = policy.failed(plain(), now += seconds(1), Duration{}, 0);
  EXPECT_TRUE(decision.give_up);
  EXPECT_EQ(decision.reason, "gave up: 10 restarts within 1m");
}

TEST(RestartPolicy, RestartsOutsideTheWindowDoNotCount) {
  RestartPolicy policy;
  TimePoint now{};
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(policy.failed(plain(), now += seconds(7), Duration{}, 0).give_up) << i;
}

TEST(RestartPolicy, WhatIsPutOffWaitsLongerEachTimeAndNobodyGivesUp) {
  RestartPolicy policy;
  EXPECT_EQ(policy.put_off(plain(), Duration{}, 0).reason, "restart in 100ms (put off)");
  const RestartDecision second = policy.put_off(plain(), Duration{}, 0);
  EXPECT_EQ(second.delay, milliseconds(200));
  EXPECT_EQ(second.reason, "restart in 200ms (put off 2 times in a row)");
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(policy.put_off(plain(), Duration{}, 0).give_up);
  EXPECT_EQ(policy.put_off(plain(), Duration{}, 0).delay, seconds(30));
  EXPECT_EQ(policy.put_off(plain(), seconds(60), 0).delay, milliseconds(100));
}

TEST(RestartPolicy, WhatIsPutOffIsNotChargedToTheLimit) {
  RestartPolicy policy;
  TimePoint now{};
  for (int i = 0; i < 100; ++i) (void)policy.put_off(plain(), Duration{}, 0);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(policy.failed(plain(), now += seconds(1), Duration{}, 0).give_up) << i;
  EXPECT_TRUE(policy.failed(plain(), now += seconds(1), Duration{}, 0).give_up);
}

// With the default delays it is tried twice a minute for ever, and heals when what it needs comes back.
TEST(RestartPolicy, TheDefaultDelaysOutgrowTheDefaultLimit) {
  for (const double random : {0.0, 0.5, 0.999}) {
    RestartPolicy policy;
    TimePoint now{};
    for (int i = 0; i < 1000; ++i) {
      const RestartDecision decision = policy.failed(RestartConfig{}, now, Duration{}, random);
      ASSERT_FALSE(decision.give_up) << i;
      now += decision.delay;
    }
  }
}

TEST(RestartPolicy, AStartByHandForgetsTheHistory) {
  RestartPolicy policy;
  TimePoint now{};
  for (int i = 0; i < 11; ++i) (void)policy.failed(plain(), now, Duration{}, 0);
  policy.reset();
  const RestartDecision decision = policy.failed(plain(), now, Duration{}, 0);
  EXPECT_FALSE(decision.give_up);
  EXPECT_EQ(decision.delay, milliseconds(100));
}

}  // namespace
}  // namespace hostler
