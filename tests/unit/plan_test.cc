#include "core/plan.h"

#include <gtest/gtest.h>

#include <list>

namespace hostler {
namespace {

PreparedEntry service(const std::string &name) {
  PreparedEntry entry;
  entry.config.name = name;
  entry.build.hash = "0123456789abcdef";
  return entry;
}

PreparedEntry job(const std::string &name, std::int64_t numbers) {
  PreparedEntry entry = service(name);
  entry.config.input.kind = InputKind::Range;
  entry.config.input.end = numbers;
  entry.config.output = "/out";
  Input input;
  input.size = numbers;
  entry.manifest = Manifest(InputKind::Range, {input}, 10, 1, 0, {}, 1);
  return entry;
}

struct Fleet {
  std::list<PreparedEntry> entries;
  CurrentEntries current;
  std::map<std::string, PlannedJob> planned;
  void has(const PreparedEntry &known) {
    const PreparedEntry &entry = entries.emplace_back(known);
    current[entry.config.name] = &entry;
    if (entry.config.is_job()) planned[entry.config.name] = {identity_of(entry.config), &entry.manifest};
  }
  EntryPlan one(const PreparedEntry &wanted, const ReloadOptions &options = {}) const {
    return plan(current, planned, {wanted}, options)->front();
  }
};

TEST(Plan, AnUnchangedEntryIsKeptWithoutAWord) {
  Fleet fleet;
  fleet.has(service("a"));
  EXPECT_EQ(fleet.one(service("a")).action, EntryAction::Keep);
  EXPECT_EQ(fleet.one(service("a")).words, "");
}

TEST(Plan, NewEntriesAreAddedAndMissingOnesRemoved) {
  Fleet fleet;
  fleet.has(service("a"));
  const auto plans = plan(fleet.current, {}, {service("b")}, {});
  ASSERT_TRUE(plans);
  ASSERT_EQ(plans->size(), 2U);
  EXPECT_EQ((*plans)[0].action, EntryAction::Add);
  EXPECT_EQ((*plans)[1].name, "a");
  EXPECT_EQ((*plans)[1].action, EntryAction::Remove);
}

TEST(Plan, RulesOfAJobReachItsWorkersAndThoseOfAServiceAreTheHostsOwn) {
  Fleet fleet;
  fleet.has(service("a"));
  fleet.has(job("j", 100));
  auto ruled = service("a");
  ruled.config.on_exit = {{{3}, {}, ExitAction::Reap}};
  EXPECT_EQ(fleet.one(ruled).action, EntryAction::Adjust);
  auto ruled_job = job("j", 100);
  ruled_job.config.on_exit = {{{3}, {}, ExitAction::Done}};
  EXPECT_EQ(fleet.one(ruled_job).action, EntryAction::Replace);
  EXPECT_EQ(fleet.one(ruled_job).words, "on_exit changed");
}

TEST(Plan, LimitsAndUsersAreForNewWorkers) {
  Fleet fleet;
  fleet.has(service("a"));
  auto now = service("a");
  now.config.limits.open_files = 100;
  EXPECT_EQ(fleet.one(now).action, EntryAction::Replace);
  EXPECT_EQ(fleet.one(now).words, "limits changed");
  now = service("a");
  now.config.user = User{"nobody", 65534, 65534, {65534}, "/"};
  EXPECT_EQ(fleet.one(now).action, EntryAction::Replace);
  EXPECT_EQ(fleet.one(now).words, "user none → nobody");
  fleet.has(now);
  EXPECT_EQ(fleet.one(now).action, EntryAction::Keep);
  now.config.user->groups.push_back(7);
  EXPECT_EQ(fleet.one(now).words, "groups of the user changed");
}

TEST(Plan, AWatchdogOrTimeLimitDisturbsNobody) {
  Fleet fleet;
  auto was = job("j", 100);
  was.config.watchdog = std::chrono::seconds(30);
  fleet.has(was);
  auto now = job("j", 100);
  now.config.time_limit = std::chrono::minutes(10);
  EXPECT_EQ(fleet.one(now).action, EntryAction::Adjust);
  EXPECT_EQ(fleet.one(now).words, "time_limit none → 10m, watchdog 30s → none");
}

TEST(Plan, WhatWorkersWereGivenReplacesThemAndWhatTheHostGoesByDoesNot) {
  Fleet fleet;
  fleet.has(service("a"));
  auto wanted = service("a");
  wanted.config.count = 7;
  EXPECT_EQ(fleet.one(wanted).action, EntryAction::Adjust);
  EXPECT_EQ(fleet.one(wanted).words, "count 1 → 7");
  wanted.config.env["TZ"] = "UTC";
  EXPECT_EQ(fleet.one(wanted).action, EntryAction::Replace);
  wanted = service("a");
  wanted.build.hash = "fedcba9876543210";
  EXPECT_EQ(fleet.one(wanted).words, "plugin 0123456789ab → fedcba987654");
}

TEST(Plan, WhatChangesOfTheHostIsNamedWithBothValues) {
  HostConfig was;
  was.plugins = "/plugins";
  EXPECT_EQ(host_changes(was, was), "");
  HostConfig now = was;
  now.umask = 022;
  EXPECT_EQ(host_changes(was, now), "umask 027 → 022 (workers that run keep theirs)");
  now.plugins = "/other";
  now.logs = {1 << 20, 0};
  EXPECT_EQ(host_changes(was, now),
            "plugins /plugins → /other, umask 027 → 022 (workers that run keep theirs), logs.size 16MiB → 1MiB, "
            "logs.keep 4 → 0");
}

TEST(Plan, AJobWhoseIdentityChangedIsHeldUntilTold) {
  Fleet fleet;
  const auto planned = job("j", 100);
  fleet.has(planned);
  auto wanted = job("j", 100);
  wanted.config.params["top"] = "3";
  EXPECT_EQ(fleet.one(wanted).action, EntryAction::Hold);
  EXPECT_EQ(fleet.one(wanted, {{"j"}, {}}).action, EntryAction::Fresh);
  EXPECT_EQ(fleet.one(wanted, {{}, {"j"}}).action, EntryAction::Resume);
  wanted.config.on_change = OnChange::Fresh;
  EXPECT_EQ(fleet.one(wanted).action, EntryAction::Fresh);
  wanted.config.on_change = OnChange::Resume;
  EXPECT_EQ(fleet.one(wanted).action, EntryAction::Resume);
  EXPECT_EQ(fleet.one(job("j", 200)).action, EntryAction::Hold);
}

TEST(Plan, FreshTakesAnUnchangedJobFromZeroAndResumeLeavesItAlone) {
  Fleet fleet;
  const auto planned = job("j", 100);
  fleet.has(planned);
  EXPECT_EQ(fleet.one(job("j", 100), {{"j"}, {}}).action, EntryAction::Fresh);
  EXPECT_EQ(fleet.one(job("j", 100), {{}, {"j"}}).action, EntryAction::Keep);
}

TEST(Plan, ResumeTriesAgainWhatAnUnchangedJobDidNotGetDone) {
  Fleet fleet;
  const auto planned = job("j", 100);
  fleet.has(planned);
  fleet.planned["j"].unfinished = true;
  EXPECT_EQ(fleet.one(job("j", 100)).action, EntryAction::Keep);
  EXPECT_EQ(fleet.one(job("j", 100), {{}, {"j"}}).action, EntryAction::Resume);
}

TEST(Plan, AJobOfTheLedgerGoesOn) {
  Fleet fleet;
  const auto planned = job("j", 100);
  fleet.planned["j"] = {identity_of(planned.config), &planned.manifest};
  EXPECT_EQ(fleet.one(job("j", 100)).action, EntryAction::Add);
  EXPECT_EQ(fleet.one(job("j", 100)).words, "goes on");
  EXPECT_EQ(fleet.one(job("j", 101)).action, EntryAction::Hold);
}

TEST(Plan, AJobThatGoesOnWithAnotherBuildSaysSo) {
  Fleet fleet;
  const auto planned = job("j", 100);
  fleet.planned["j"] = {identity_of(planned.config), &planned.manifest, true, true, "fedcba9876543210"};
  EXPECT_EQ(fleet.one(job("j", 100), {{}, {"j"}}).words,
            "tries again what is not done, plugin fedcba987654 → 0123456789ab");
  EXPECT_EQ(fleet.one(job("j", 101), {{}, {"j"}}).words,
            "input.range.end 100 → 101, plugin fedcba987654 → 0123456789ab");
  EXPECT_EQ(fleet.one(job("j", 101)).words, "input.range.end 100 → 101");  // which waits; the build does not
  EXPECT_EQ(fleet.one(job("j", 100)).words, "goes on");                    // it has ended
  fleet.planned["j"].ended = false;
  EXPECT_EQ(fleet.one(job("j", 100)).words, "goes on, plugin fedcba987654 → 0123456789ab");
  fleet.planned["j"].last_build = planned.build.hash;
  EXPECT_EQ(fleet.one(job("j", 100)).words, "goes on");
}

TEST(Plan, AnEntryThatBecomesAnotherKindIsRebuilt) {
  Fleet fleet;
  fleet.has(service("a"));
  EXPECT_EQ(fleet.one(job("a", 10)).action, EntryAction::Rebuild);
}

TEST(Plan, OptionsThatNameNoJobAreRefused) {
  Fleet fleet;
  EXPECT_FALSE(plan({}, {}, {service("a")}, {{"a"}, {}}));
  EXPECT_FALSE(plan({}, {}, {service("a")}, {{}, {"b"}}));
  EXPECT_FALSE(plan({}, {}, {job("j", 1)}, {{"j"}, {"j"}}));
}

}  // namespace
}  // namespace hostler
