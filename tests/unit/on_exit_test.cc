// `on_exit:` over the whole table: every code and signal, returned or exited, before, during and after run(), asked to
// stop or not, every order of the rules.
#include "core/on_exit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>

#include "core/exit_status.h"

namespace hostler {
namespace {

constexpr std::array kActions{ExitAction::Done,    ExitAction::Retry, ExitAction::RetryLater, ExitAction::Quarantine,
                              ExitAction::Restart, ExitAction::Reap,  ExitAction::FailEntry};
constexpr std::array kStages{Stage::None, Stage::SetUp,   Stage::Waiting,  Stage::Loading, Stage::Preparing,
                             Stage::Idle, Stage::Running, Stage::Returned, Stage::Settling};

Verdict by_table(std::int32_t returned) {
  switch (returned) {
    case 0: return Verdict::Done;
    case 65: return Verdict::BadData;
    case 75: return Verdict::RetryLater;
    case 78: return Verdict::BadConfig;
    case 85: return Verdict::Yield;
    default: return Verdict::Failure;
  }
}

Verdict by_action(ExitAction action, Verdict otherwise) {
  switch (action) {
    case ExitAction::Done:
    case ExitAction::Reap: return Verdict::Done;
    case ExitAction::Retry:
    case ExitAction::Restart:
      return otherwise == Verdict::Crash || otherwise == Verdict::OutOfMemory ? otherwise : Verdict::Failure;
    case ExitAction::RetryLater: return Verdict::RetryLater;
    case ExitAction::Quarantine: return Verdict::BadData;
    case ExitAction::FailEntry: return Verdict::BadConfig;
  }
  return otherwise;
}

struct Case {
  Departure gone;
  std::int32_t number = 0;
  bool signal = false;
  bool by_itself = false;  // a rule may judge it
  Verdict table = Verdict::Crash;
};

// Every way to leave in this stage, with what the table says of it.
template <typename Each>
void for_every_way(Stage stage, Each each) {
  for (const bool stopping : {false, true})
    for (const bool killed : {false, true})
      for (const bool overdue : {false, true}) {
        Case way;
        way.gone.page.layout = kPageLayout;
        way.gone.page_known = true;
        way.gone.page.stage = static_cast<std::uint32_t>(stage);
        way.gone.stopping = stopping;
        way.gone.killed_by_host = killed;
        if (overdue) way.gone.overdue = "hung";
        const bool returned = stage == Stage::Returned;
        const auto table = [&](Verdict plain) {
          if (overdue) return Verdict::Timeout;
          return stopping || killed ? Verdict::Interrupted : plain;
        };
        way.by_itself = returned || (!overdue && !stopping && !killed);
        for (int code = 0; code <= 255; ++code) {
          way.gone.status = {false, code, false};
          way.gone.page.returned = code;
          way.number = code;
          way.signal = false;
          way.table = returned ? by_table(code) : table(Verdict::Crash);
          each(way);
        }
        for (int signal = 1; signal <= 64; ++signal)
          for (const bool core : {false, true}) {
            way.gone.status = {true, signal, core};
            way.gone.page.returned = 70;
            way.number = returned ? 70 : signal;
            way.signal = !returned;
            way.table = returned ? Verdict::Failure : table(signal == SIGKILL ? Verdict::OutOfMemory : Verdict::Crash);
            each(way);
          }
      }
}

TEST(OnExit, WithoutARuleTheTableDecidesEveryWayToLeave) {
  for (const Stage stage : kStages)
    for_every_way(stage, [](const Case &way) {
      const Judgement judgement = judge(way.gone);
      ASSERT_EQ(judgement.verdict, way.table) << judgement.reason;
      ASSERT_EQ(judgement.rule, -1);
      ASSERT_FALSE(judgement.reason.empty());
    });
}

TEST(OnExit, EveryActionOverridesTheTableForWhatTheChildDidByItselfAndForNothingElse) {
  for (const Stage stage : kStages)
    for (const ExitAction action : kActions)
      for_every_way(stage, [action](const Case &way) {
        ExitRule rule;
        (way.signal ? rule.signals : rule.codes).push_back(way.number);
        rule.action = action;
        const std::vector<ExitRule> rules{{{}, {1000}, ExitAction::Done}, rule};
        const Judgement judgement = judge(way.gone, rules);
        ASSERT_EQ(judgement.verdict, way.by_itself ? by_action(action, way.table) : way.table) << judgement.reason;
        ASSERT_EQ(judgement.rule, way.by_itself ? 1 : -1);
        ASSERT_EQ(judgement.reason.find("on_exit[1]") != std::string::npos, way.by_itself) << judgement.reason;
      });
}

TEST(OnExit, ARuleForACodeSaysNothingOfTheSignalWithThatNumber) {
  Departure gone;
  gone.page_known = true;
  gone.page.stage = static_cast<std::uint32_t>(Stage::Running);
  for (int number = 1; number <= 64; ++number) {
    gone.status = {true, number, false};
    EXPECT_EQ(judge(gone, std::vector<ExitRule>{{{number}, {}, ExitAction::Done}}).rule, -1);
    gone.status = {false, number, false};
    EXPECT_EQ(judge(gone, std::vector<ExitRule>{{{}, {number}, ExitAction::Done}}).rule, -1);
  }
}

TEST(OnExit, InEveryOrderTheFirstRuleThatMatchesDecides) {
  // Each code is named by two rules, code 9 by all and code 10 by none.
  std::vector<ExitRule> rules{{{0, 1, 9}, {SIGSEGV}, ExitAction::Done},
                              {{1, 2, 9}, {SIGSEGV, SIGABRT}, ExitAction::Retry},
                              {{2, 3, 9}, {SIGABRT}, ExitAction::RetryLater},
                              {{3, 4, 9}, {}, ExitAction::Quarantine},
                              {{4, 0, 9}, {SIGSEGV}, ExitAction::FailEntry}};
  const auto by_rank = [](const ExitRule &a, const ExitRule &b) { return a.action < b.action; };
  Departure gone;
  gone.page_known = true;
  do {
    for (const Stage stage : {Stage::Running, Stage::Returned})
      for (int code = 0; code <= 10; ++code) {
        gone.page.stage = static_cast<std::uint32_t>(stage);
        gone.page.returned = code;
        gone.status = {false, code, false};
        const auto first = std::ranges::find_if(
            rules, [&](const ExitRule &rule) { return std::ranges::count(rule.codes, code) != 0; });
        const int expected = first == rules.end() ? -1 : static_cast<int>(first - rules.begin());
        ASSERT_EQ(judge(gone, rules).rule, expected) << code;
        const auto counted = counted_codes(rules);
        const auto told = std::ranges::find(counted, code, &CountedCode::code);
        ASSERT_EQ(told == counted.end() ? -1 : told->rule, expected) << code;
        if (told == counted.end()) continue;
        ASSERT_EQ(told->counts_as, counts_as(first->action));
      }
    for (const int signal : {SIGSEGV, SIGABRT, SIGBUS}) {
      gone.page.stage = static_cast<std::uint32_t>(Stage::Running);
      gone.status = {true, signal, false};
      const auto first = std::ranges::find_if(
          rules, [&](const ExitRule &rule) { return std::ranges::count(rule.signals, signal) != 0; });
      ASSERT_EQ(judge(gone, rules).rule, first == rules.end() ? -1 : static_cast<int>(first - rules.begin()));
    }
  } while (std::ranges::next_permutation(rules, by_rank).found);
}

TEST(OnExit, NoRuleChangesWhyAPluginCannotBeLoadedOrABrokenProtocol) {
  std::vector<ExitRule> all{{{}, {SIGKILL}, ExitAction::Done}};
  for (int code = 0; code <= 255; ++code) all[0].codes.push_back(code);
  Departure gone;
  gone.page_known = true;
  gone.page.stage = static_cast<std::uint32_t>(Stage::Loading);
  gone.status = {false, 78, false};
  gone.page.failed_before_run = 1;
  EXPECT_EQ(judge(gone, all).verdict, Verdict::LoadFailure);
  gone.page.failed_before_run = 2;
  EXPECT_EQ(judge(gone, all).verdict, Verdict::LoadLater);
  gone.page.failed_before_run = 0;
  gone.broke_protocol = true;
  gone.status = {true, SIGKILL, false};
  EXPECT_EQ(judge(gone, all).verdict, Verdict::Crash);
  EXPECT_EQ(judge(gone, all).rule, -1);
}

TEST(OnExit, APageOfAnotherLayoutStillLeavesTheStatusToTheRules) {
  Departure gone;
  gone.status = {false, 3, false};
  EXPECT_EQ(judge(gone, std::vector<ExitRule>{{{3}, {}, ExitAction::FailEntry}}).verdict, Verdict::BadConfig);
}

TEST(OnExit, ANameMakesTheRoundTripAndSaysWhomItIsFor) {
  for (const ExitAction action : kActions) {
    EXPECT_EQ(exit_action_from_name(name(action)), action);
    EXPECT_EQ(is_for_slices(action) && is_for_services(action), action == ExitAction::FailEntry);
    EXPECT_TRUE(is_for_slices(action) || is_for_services(action));
  }
  EXPECT_FALSE(exit_action_from_name("again"));
}

SliceEnded ended(std::int32_t returned, std::optional<ExitAction> action) {
  SliceEnded ended;
  ended.slice = {100, 200};
  ended.returned = returned;
  if (action) {
    ended.rule = 2;
    ended.counts_as = counts_as(*action);
  }
  return ended;
}

TEST(OnExit, OfASliceARuleCountsAsTheValueItStandsForWhateverTheCode) {
  for (std::int32_t code = 0; code <= 255; ++code)
    for (const ExitAction action : kActions)
      for (const bool stopping : {false, true}) {
        const Judgement judgement = judge(ended(code, action), stopping);
        ASSERT_EQ(judgement.verdict, by_action(action, Verdict::Failure)) << code;
        ASSERT_EQ(judgement.rule, 2);
        const bool told = judgement.reason.find("on_exit[2]") != std::string::npos;
        ASSERT_EQ(told, judgement.verdict != Verdict::Done) << judgement.reason;
      }
}

TEST(OnExit, OfASliceThatClaimsDoneByARuleMeansAllClaimedToo) {
  SliceEnded short_of_the_end = ended(3, ExitAction::Done);
  short_of_the_end.claimed = true;
  short_of_the_end.claimed_to = 160;
  EXPECT_EQ(judge(short_of_the_end, false).verdict, Verdict::Failure);
  EXPECT_EQ(judge(short_of_the_end, false).reason,
            "returned 3 (by on_exit[2]: as HOSTLER_DONE) but left the last 40 of 100 positions unclaimed, from "
            "position 160 on");
  short_of_the_end.claimed_to = 200;
  EXPECT_EQ(judge(short_of_the_end, false).verdict, Verdict::Done);
}

}  // namespace
}  // namespace hostler
