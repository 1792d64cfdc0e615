#include "core/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace hostler {
namespace {

using Kind = PatternComponent::Kind;

TEST(Wildcards, MatchWholeNames) {
  EXPECT_TRUE(matches("*.txt", "a.txt"));
  EXPECT_TRUE(matches("*", "anything"));
  EXPECT_TRUE(matches("a*b*c", "aXXbYYbZc"));
  EXPECT_TRUE(matches("a*", "a"));
  EXPECT_TRUE(matches("**", "a"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("*.txt", "a.txt.gz"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("a", ""));
  EXPECT_TRUE(matches("*", ""));
}

TEST(Wildcards, LeaveDotFilesOutUnlessTheyBeginWithADot) {
  EXPECT_FALSE(matches("*", ".hidden"));
  EXPECT_FALSE(matches("?hidden", ".hidden"));
  EXPECT_FALSE(matches("[.]hidden", ".hidden"));
  EXPECT_TRUE(matches(".*", ".hidden"));
  EXPECT_TRUE(matches("\\.h*", ".hidden"));
}

TEST(Brackets, HoldRangesClassesAndTheirOpposite) {
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_FALSE(matches("[a-c]x", "dx"));
  EXPECT_TRUE(matches("[!a-c]x", "dx"));
  EXPECT_TRUE(matches("[^a-c]x", "dx"));
  EXPECT_TRUE(matches("[]a]", "]"));
  EXPECT_TRUE(matches("[a-]", "-"));
  EXPECT_TRUE(matches("[\\]]", "]"));
  EXPECT_TRUE(matches("part-[[:digit:]][0-9]", "part-07"));
  EXPECT_FALSE(matches("[[:alpha:]]", "7"));
  EXPECT_TRUE(matches("[![:space:]]", "x"));
}

TEST(Brackets, ThatAreNotClosedAreLiteral) {
  EXPECT_TRUE(matches("[abc", "[abc"));
  EXPECT_FALSE(matches("[abc", "a"));
  EXPECT_TRUE(matches("*[", "x["));
  EXPECT_FALSE(is_pattern("a[b"));
  EXPECT_TRUE(is_pattern("a[b]"));
  EXPECT_FALSE(is_pattern("a[b/c]"));
}

TEST(Characters, AreUtf8OrSingleBytes) {
  EXPECT_TRUE(matches("?", "ü"));
  EXPECT_TRUE(matches("[ä-ü]", "ö"));
  EXPECT_TRUE(matches("*ü", "xü"));
  EXPECT_TRUE(matches("?", "\xff"));
  EXPECT_TRUE(matches("\xff*", "\xff\xfe"));
  EXPECT_FALSE(matches("?", "\xff\xfe"));
}

TEST(Escapes, MakeWildcardsLiteralBothWays) {
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "a"));
  EXPECT_FALSE(is_pattern("a\\*b"));
  EXPECT_EQ(unescape("a\\*b\\\\c"), "a*b\\c");
  for (const std::string path : {"/data/[x]/a*b?.txt", "a\\b", "plain", "[", "**"}) {
    EXPECT_FALSE(is_pattern(escape(path))) << path;
    EXPECT_EQ(unescape(escape(path)), path);
  }
}

TEST(Wildcards, TakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", std::string(255, 'a')));
}

TEST(Patterns, AreSplitIntoAPlainRootAndComponents) {
  const PathPattern pattern = split_pattern("/usr//include/./**/x\\*/*.h");
  EXPECT_EQ(pattern.root, "/usr/include");
  ASSERT_EQ(pattern.components.size(), 3U);
  EXPECT_EQ(pattern.components[0], (PatternComponent{Kind::AnyDepth, "**"}));
  EXPECT_EQ(pattern.components[1], (PatternComponent{Kind::Literal, "x*"}));
  EXPECT_EQ(pattern.components[2], (PatternComponent{Kind::Wildcard, "*.h"}));
}

TEST(Patterns, WithoutAWildcardAreAllRoot) {
  EXPECT_EQ(split_pattern("/a/b\\[1]").root, "/a/b[1]");
  EXPECT_TRUE(split_pattern("/a/b\\[1]").components.empty());
  EXPECT_EQ(split_pattern("a/../b").root, "a/../b");
  EXPECT_EQ(split_pattern("/").root, "/");
}

TEST(Patterns, TakeAllFilesWhereTheyEndWithAnyDepth) {
  const PathPattern pattern = split_pattern("a/**/**");
  ASSERT_EQ(pattern.components.size(), 2U);
  EXPECT_EQ(pattern.components[0].kind, Kind::AnyDepth);
  EXPECT_EQ(pattern.components[1], (PatternComponent{Kind::Wildcard, "*"}));
  EXPECT_EQ(split_pattern("/*").root, "/");
  EXPECT_EQ(split_pattern("*").root, "");
}

}  // namespace
}  // namespace hostler
