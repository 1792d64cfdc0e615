#include "core/backtrace.h"

#include <gtest/gtest.h>

namespace hostler {
namespace {

Frame frame(const std::string &module, const std::string &function, const std::string &file, std::int32_t line) {
  Frame frame;
  frame.address = 0x7f0000001a2f;
  frame.module = module;
  frame.offset = 0x1a2f;
  frame.function = function;
  frame.file = file;
  frame.line = line;
  return frame;
}

const Frame kAbort = frame("/lib/libc.so.6", "abort", "", 0);
const Frame kCount = frame("/store/ab/wordcount.so", "count_words(int)", "/src/wordcount.cc", 41);

TEST(Backtrace, RoundTrips) {
  Backtrace backtrace;
  backtrace.frames = {kAbort, kCount, Frame{}};
  backtrace.frames[1].inlined = true;
  backtrace.file = "/state/crashes/a/b.txt";
  backtrace.problem = "half of it";
  EXPECT_EQ(decode_backtrace(encode(backtrace)), backtrace);
}

TEST(Backtrace, IsBoundedAndPrintableWhateverIsSaid) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "frame\tzz\t\x1b[31m\nframe\n\nrubbish\n";
  EXPECT_LE(decode_backtrace(text).frames.size(), 128U);
  Backtrace backtrace;
  backtrace.frames = {frame("m", std::string(10000, 'x') + "\n", "a\tb", 1)};
  const Backtrace decoded = decode_backtrace(encode(backtrace));
  ASSERT_EQ(decoded.frames.size(), 1U);
  EXPECT_LE(decoded.frames[0].function.size(), 512U);
  EXPECT_EQ(decoded.frames[0].file, "a?b");
}

TEST(Backtrace, WordsOfAFrameNameItsPlace) {
  EXPECT_EQ(words(kCount, 3), "#3  count_words(int) (/src/wordcount.cc:41) wordcount.so+0x1a2f");
  EXPECT_EQ(words(kAbort, 12), "#12 abort libc.so.6+0x1a2f");
  Frame unknown;
  unknown.address = 0x10;
  EXPECT_EQ(words(unknown, 0), "#0  ?? 0x10");
}

TEST(Backtrace, ManyCallsOfAFunctionByItselfAreOneLine) {
  Backtrace backtrace;
  backtrace.frames = {kAbort, kCount, kCount, kCount, kAbort, kAbort};
  const std::vector<std::string> expected{words(kAbort, 0), words(kCount, 1) + ", 3 times", "and 2 frames more"};
  EXPECT_EQ(lines(backtrace, 2), expected);
}

TEST(Backtrace, TheSiteIsTheInnermostFrameOfThePluginsOwn) {
  Backtrace backtrace;
  backtrace.frames = {kAbort, kCount};
  EXPECT_EQ(site_words(backtrace, "/store/ab"), "wordcount.so+0x1a2f in count_words(int) (wordcount.cc:41)");
  EXPECT_EQ(site_words(backtrace, "/store/a"), "libc.so.6+0x1a2f in abort");
  EXPECT_EQ(site_words(Backtrace{}, "/store/ab"), "");
}

}  // namespace
}  // namespace hostler
