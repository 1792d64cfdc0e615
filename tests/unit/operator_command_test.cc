#include "core/operator_command.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

using Known = std::vector<std::pair<std::string, OperatorTarget>>;

const Known kKnown{
    {"run", {}}, {"halted", {false, Halt::Stopped, "", {}}}, {"ended", {true, Halt::None, "has ended: failed", {}}}};
const Known kJobs{
    {"service", {}},
    {"runs", {true, Halt::None, "", {}}},
    {"paused", {true, Halt::Paused, "", {}}},
    {"stopped", {true, Halt::Stopped, "", {}}},
    {"ended", {true, Halt::None, "has ended: failed", Error{"ended", "nothing of it is quarantined", {}}}}};

OperatorCommand on(OperatorVerb verb, std::vector<std::string> names, std::int32_t count = 1) {
  OperatorCommand command;
  command.verb = verb;
  command.all = names.empty();
  command.names = std::move(names);
  command.count = count;
  return command;
}

TEST(OperatorCommand, NamesMakeTheRoundTrip) {
  for (const auto verb : {OperatorVerb::Start, OperatorVerb::Stop, OperatorVerb::Restart, OperatorVerb::Scale,
                          OperatorVerb::Pause, OperatorVerb::Resume, OperatorVerb::Cancel, OperatorVerb::Retry})
    EXPECT_EQ(operator_verb_from_name(name(verb)), verb);
  EXPECT_FALSE(operator_verb_from_name("status"));
}

TEST(OperatorCommand, AllLeavesOutWhatCannot) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*targets(on(OperatorVerb::Start, {}), kKnown), (Names{"run", "halted"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Stop, {}), kKnown), (Names{"run", "halted"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Restart, {}), kKnown), (Names{"run"}));
}

TEST(OperatorCommand, OnlyJobsPauseResumeCancelAndRetryAndOnlyThoseThatCan) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*targets(on(OperatorVerb::Pause, {}), kJobs), (Names{"runs", "paused"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Resume, {}), kJobs), (Names{"paused"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Cancel, {}), kJobs), (Names{"runs", "paused", "stopped"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Retry, {}), kJobs), (Names{"runs", "paused", "stopped"}));
  EXPECT_EQ(targets(on(OperatorVerb::Pause, {"service"}), kJobs).error().text(),
            "service: is a service, and only jobs pause");
  EXPECT_EQ(targets(on(OperatorVerb::Resume, {"stopped"}), kJobs).error().text(),
            "stopped: was stopped by an operator (hostler start stopped)");
  EXPECT_EQ(targets(on(OperatorVerb::Restart, {"paused"}), kJobs).error().text(),
            "paused: is paused (hostler resume paused)");
  EXPECT_FALSE(targets(on(OperatorVerb::Resume, {"runs"}), kJobs));
}

TEST(OperatorCommand, SlicesAreOfOneJob) {
  OperatorCommand two = on(OperatorVerb::Retry, {"runs", "paused"});
  two.slices = {"0-0"};
  EXPECT_FALSE(targets(two, kJobs));
  two.names.pop_back();
  EXPECT_TRUE(targets(two, kJobs));
}

TEST(OperatorCommand, ANameMayBeSaidTwice) {
  EXPECT_EQ(targets(on(OperatorVerb::Stop, {"run", "run"}), kKnown)->size(), 1U);
}

TEST(OperatorCommand, OneRefusalRefusesAll) {
  EXPECT_EQ(targets(on(OperatorVerb::Stop, {"run", "ended"}), kKnown).error().text(), "ended: has ended: failed");
  EXPECT_FALSE(targets(on(OperatorVerb::Restart, {"halted"}), kKnown));
  EXPECT_FALSE(targets(on(OperatorVerb::Start, {"rum"}), kKnown));
}

TEST(OperatorCommand, NamesAndAllExcludeEachOther) {
  OperatorCommand both = on(OperatorVerb::Stop, {"run"});
  both.all = true;
  EXPECT_EQ(targets(both, kKnown).error().text(), "stop was given names and all (leave one of them out)");
  OperatorCommand none = on(OperatorVerb::Stop, {});
  none.all = false;
  EXPECT_EQ(targets(none, kKnown).error().text(), "stop takes names, or --all (hostler stop NAME)");
}

TEST(OperatorCommand, ScaleTakesFromOneToAHundredThousand) {
  for (const std::int32_t count : {0, -1, 100'001})
    EXPECT_FALSE(targets(on(OperatorVerb::Scale, {"run"}, count), kKnown));
  for (const std::int32_t count : {1, 100'000}) EXPECT_TRUE(targets(on(OperatorVerb::Scale, {"run"}, count), kKnown));
}

TEST(OperatorOutcome, NamesTheReasonOnceThatAnEntryHasFromItsWorker) {
  WorkerStatus worker;
  worker.state = "failed";
  worker.note = "gave up: 2 restarts within 60s; last: crash";
  worker.last_exit.text = "crash";
  EntryStatus entry;
  entry.name = "a";
  entry.state = "failed";
  entry.workers = {worker};
  entry.reason = "a/0: " + worker.note;
  EXPECT_EQ(outcome(OperatorVerb::Start, entry).words, "a: failed; a/0: gave up: 2 restarts within 60s; last: crash");
  entry.reason.clear();
  EXPECT_EQ(outcome(OperatorVerb::Start, entry).words, "a: failed; a/0: gave up: 2 restarts within 60s; last: crash");
}

}  // namespace
}  // namespace hostler
