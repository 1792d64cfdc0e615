#include "core/suggest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace hostler {
namespace {

constexpr std::array<std::string_view, 7> kKnown{"name", "plugin", "count", "cwd", "depends_on", "max_failed", "env"};

TEST(Suggestions, FindTheNearestKey) {
  EXPECT_EQ(nearest("cout", kKnown), "count");
  EXPECT_EQ(nearest("conut", kKnown), "count");
  EXPECT_EQ(nearest("plugins", kKnown), "plugin");
  EXPECT_EQ(nearest("Depends-On", kKnown), "depends_on");
  EXPECT_EQ(nearest("maxfaild", kKnown), "max_failed");
}

TEST(Suggestions, AreNotMadeForWhatIsNearToNothing) {
  EXPECT_EQ(nearest("", kKnown), std::nullopt);
  EXPECT_EQ(nearest("colour", kKnown), std::nullopt);
  EXPECT_EQ(nearest("x", kKnown), std::nullopt);
  EXPECT_EQ(nearest("abc", kKnown), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), kKnown), std::nullopt);
}

TEST(Suggestions, CopeWithLongKnownWords) {
  const std::string longest(1000, 'n');
  const std::array<std::string_view, 2> known{longest, "name"};
  EXPECT_EQ(nearest("nane", known), "name");
}

TEST(Suggestions, GoWithTheRefusalOfAKeyThatIsNotKnown) {
  constexpr std::array<std::string_view, 2> kKnown{"workers", "layout"};
  EXPECT_EQ(unknown_key("wrokers", kKnown).text(), "unknown key \"wrokers\" (did you mean \"workers\"?)");
  EXPECT_EQ(unknown_key("x", kKnown).text(), "unknown key \"x\" (known here: workers, layout)");
  EXPECT_EQ(unknown_key("x", {}).text(), "unknown key \"x\" (there is none here)");
}

}  // namespace
}  // namespace hostler
