#include "core/encoding.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

TEST(Encoding, Utf8IsTakenAndWhatOnlyLooksLikeItIsNot) {
  for (const std::string_view good : {"", "plain", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                      "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(good)) << good;
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
  for (const std::string_view bad :
       {"\x80", "\xff", "a\xc3", "\xc3(", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe2\x82", "\xe2(\x82",
        "\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x9f\x98"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Encoding, Base64IsAsTheStandardHasIt) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64(std::string_view("\0\xff\xfe", 3)), "AP/+");
}

TEST(Encoding, HexGoesThereAndBack) {
  const std::string_view bytes("\0\x7f\xa5\xff", 4);
  EXPECT_EQ(hex(bytes), "007fa5ff");
  EXPECT_EQ(from_hex("007fa5ff"), bytes);
  EXPECT_EQ(from_hex("7fA5"), "\x7f");
  EXPECT_EQ(from_hex("7fa"), "\x7f");
  EXPECT_EQ(from_hex("no"), "");
}

}  // namespace
}  // namespace hostler
