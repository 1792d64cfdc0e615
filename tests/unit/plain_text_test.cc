#include "core/plain_text.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

TEST(PlainText, IsUtf8WithoutControlCharacters) {
  for (const char *text : {"", "a b", "ü€😀", "~"}) EXPECT_TRUE(is_plain(text)) << text;
  for (const char *text : {"a\nb", "\x1b[31m", "\x7f", "\xff\xfe", "\xc3", "\xe2\x82"})
    EXPECT_FALSE(is_plain(text)) << text;
  EXPECT_FALSE(is_plain(std::string_view("a\0b", 3)));
}

TEST(PlainText, TellsTheLengthOfACharacter) {
  EXPECT_EQ(utf8_length("a"), 1U);
  EXPECT_EQ(utf8_length("üx"), 2U);
  EXPECT_EQ(utf8_length("€"), 3U);
  EXPECT_EQ(utf8_length("😀"), 4U);
  for (const char *wrong : {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80"})
    EXPECT_EQ(utf8_length(wrong), 0U);
}

TEST(PlainText, IsPutInOneLine) {
  EXPECT_EQ(in_one_line("two\nlines\x1b[0m \x7f ü"), "two?lines?[0m ? ü");
}

}  // namespace
}  // namespace hostler
