#include "core/plugin_facts.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

PluginFacts some_facts() {
  return {"word count", "1.0 (beta)", "1.0", 1, -7, true, true, "", true};
}

TEST(PluginFacts, ComeBackAsTheyWere) {
  EXPECT_EQ(*parse_facts(format_facts(some_facts())), some_facts());
  EXPECT_EQ(*parse_facts(format_facts({})), PluginFacts{});
}

TEST(PluginFacts, WithLineBreaksInATextStayOneLineEach) {
  PluginFacts facts = some_facts();
  facts.version = "1\nend\nid evil";
  EXPECT_EQ(parse_facts(format_facts(facts))->version, "1 end id evil");
}

TEST(PluginFacts, CutShortAnywhereAreRefused) {
  const std::string text = format_facts(some_facts());
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_facts(text.substr(0, size))) << size;
}

TEST(PluginFacts, ThatNobodyKnowsAreRefused) {
  EXPECT_FALSE(parse_facts("colour blue\nend\n"));
  EXPECT_FALSE(parse_facts("flags many\nend\n"));
  EXPECT_FALSE(parse_facts("merge 2\nend\n"));
}

}  // namespace
}  // namespace hostler
