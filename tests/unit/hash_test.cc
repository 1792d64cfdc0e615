#include "core/hash.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

// From the tests that its authors publish.
TEST(Hash, IsWhatTheAuthorsSayItIs) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8c);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8);
  EXPECT_EQ(fnv1a(std::string_view("\xff\0\0\x01", 4)), 0x6961196491cc682d);
}

}  // namespace
}  // namespace hostler
