#include "core/operator_command.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

using Known = std::vector<std::pair<std::string, OperatorTarget>>;

const Known kKnown{{"run", {}}, {"halted", {true, ""}}, {"ended", {false, "has ended: failed"}}};

OperatorCommand on(OperatorVerb verb, std::vector<std::string> names, std::int32_t count = 1) {
  OperatorCommand command;
  command.verb = verb;
  command.all = names.empty();
  command.names = std::move(names);
  command.count = count;
  return command;
}

TEST(OperatorCommand, NamesMakeTheRoundTrip) {
  for (const auto verb : {OperatorVerb::Start, OperatorVerb::Stop, OperatorVerb::Restart, OperatorVerb::Scale})
    EXPECT_EQ(operator_verb_from_name(name(verb)), verb);
  EXPECT_FALSE(operator_verb_from_name("status"));
}

TEST(OperatorCommand, AllLeavesOutWhatCannot) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*targets(on(OperatorVerb::Start, {}), kKnown), (Names{"run", "halted"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Stop, {}), kKnown), (Names{"run", "halted"}));
  EXPECT_EQ(*targets(on(OperatorVerb::Restart, {}), kKnown), (Names{"run"}));
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
  EXPECT_FALSE(targets(both, kKnown));
  OperatorCommand none = on(OperatorVerb::Stop, {});
  none.all = false;
  EXPECT_EQ(targets(none, kKnown).error().text(), "stop takes names, or --all (hostler stop NAME)");
}

TEST(OperatorCommand, ScaleTakesFromOneToAHundredThousand) {
  for (const std::int32_t count : {0, -1, 100'001})
    EXPECT_FALSE(targets(on(OperatorVerb::Scale, {"run"}, count), kKnown));
  for (const std::int32_t count : {1, 100'000}) EXPECT_TRUE(targets(on(OperatorVerb::Scale, {"run"}, count), kKnown));
}

}  // namespace
}  // namespace hostler
