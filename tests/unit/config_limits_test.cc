#include "core/config_limits.h"

#include <gtest/gtest.h>

#include "fakes/any_machine.h"

namespace hostler {
namespace {

Asked asked(std::int64_t value) {
  return {value, "f.yaml:3:4: workers[0].limits.x", std::to_string(value)};
}

Limits limits_of(const LimitsDraft &draft, Machine &machine, const std::optional<User> &user = std::nullopt) {
  const auto limits = enforceable(draft, machine, user);
  EXPECT_TRUE(limits) << limits.error().text();
  return limits.value_or(Limits{});
}

Error refusal_of(const LimitsDraft &draft, Machine &machine, const std::optional<User> &user = std::nullopt) {
  const auto limits = enforceable(draft, machine, user);
  EXPECT_FALSE(limits);
  return limits ? Error{} : limits.error();
}

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

TEST(ConfigLimits, NothingAskedForIsNoLimitAndNoGroup) {
  AnyMachine machine;
  EXPECT_EQ(limits_of({}, machine), Limits{});
}

TEST(ConfigLimits, AGroupHoldsMemoryProcessorsAndProcesses) {
  AnyMachine machine;
  LimitsDraft draft;
  draft.memory = asked(kGiB);
  draft.cpu = asked(kCpuPeriod);
  draft.processes = asked(64);
  const Limits limits = limits_of(draft, machine);
  EXPECT_TRUE(limits.group);
  EXPECT_EQ(limits.memory, kGiB);
  EXPECT_EQ(limits.cpu, kCpuPeriod);
  EXPECT_EQ(limits.processes, 64);
  EXPECT_FALSE(limits.of_processes());
}

TEST(ConfigLimits, FilesAndCoresNeedNoGroup) {
  AnyMachine machine;
  LimitsDraft draft;
  draft.open_files = asked(100);
  draft.core = asked(0);
  const Limits limits = limits_of(draft, machine);
  EXPECT_FALSE(limits.group);
  EXPECT_EQ(limits.open_files, 100);
  EXPECT_EQ(limits.core, 0);
}

TEST(ConfigLimits, WithoutAMemoryControllerTheAddressSpaceIsHeld) {
  AnyMachine machine;
  machine.can.group_memory = false;
  machine.can.no_groups = "no cgroup v2 is mounted";
  LimitsDraft draft;
  draft.memory = asked(kGiB);
  const Limits limits = limits_of(draft, machine);
  EXPECT_EQ(limits.address_space, kGiB);
  EXPECT_EQ(limits.memory, -1);
  EXPECT_TRUE(limits.group);  // which kills what the worker leaves behind
  draft.memory = asked(10 << 20);
  EXPECT_NE(refusal_of(draft, machine).what.find("a worker needs 64MiB of that (no cgroup v2 is mounted)"),
            std::string::npos);
}

TEST(ConfigLimits, WithoutAPidsControllerAUserIsHeldAndRootCannotBe) {
  AnyMachine machine;
  machine.can.group_processes = machine.can.groups = false;
  machine.can.no_groups = "no cgroup v2 is mounted";
  LimitsDraft draft;
  draft.processes = asked(64);
  const Limits limits = limits_of(draft, machine, machine.users.at("nobody"));
  EXPECT_EQ(limits.user_processes, 64);
  EXPECT_FALSE(limits.group);
  const Error refusal = refusal_of(draft, machine);
  EXPECT_EQ(refusal.where, "f.yaml:3:4: workers[0].limits.x");
  EXPECT_EQ(
      refusal.what,
      "this machine cannot enforce \"64\": root is held to a number of processes by a cgroup only, and no cgroup v2 "
      "is mounted");
  (void)refusal_of(draft, machine, machine.users.at("root"));
  machine.can.uid = 1000;
  EXPECT_EQ(limits_of(draft, machine).user_processes, 64);
}

TEST(ConfigLimits, WithoutACpuControllerProcessorTimeIsRefusedWithTheReason) {
  AnyMachine machine;
  machine.can.group_cpu = false;
  machine.can.no_groups = "the host's cgroup /x has no controllers for cpu";
  LimitsDraft draft;
  draft.cpu = asked(5);
  EXPECT_EQ(
      refusal_of(draft, machine).what,
      "this machine cannot enforce \"5\": processor time is held by a cgroup only, and the host's cgroup /x has no "
      "controllers for cpu");
}

TEST(ConfigLimits, WhatTheHostItselfMayNotHaveIsRefused) {
  AnyMachine machine;
  machine.can.most_open_files = 1000;
  machine.can.most_core = 0;
  LimitsDraft draft;
  draft.open_files = asked(1001);
  EXPECT_EQ(refusal_of(draft, machine).what,
            "this machine cannot enforce \"1001\": the host itself is limited to 1000 open files");
  draft.open_files = asked(1000);
  EXPECT_EQ(limits_of(draft, machine).open_files, 1000);
  draft.core = asked(1);
  EXPECT_NE(refusal_of(draft, machine).what.find("limited to 0 bytes of a core file"), std::string::npos);
}

}  // namespace
}  // namespace hostler
