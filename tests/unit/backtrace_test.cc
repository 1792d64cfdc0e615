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

TEST(Backtrace, TheSiteIsNoneOfTheRuntimeThatIsCompiledIn) {
  const std::string own = "/store/ab/primes.so";
  const Frame rust = frame(own, "primes::is_prime", "/src/primes.rs", 7);
  const Frame cpp =
      frame(own, "std::__cxx11::basic_string<char> join<int>(std::vector<int> const&)", "/src/join.cc", 9);
  for (const Frame &runtime : {frame(own, "__rustc::rust_start_panic", "", 0), frame(own, "rust_begin_unwind", "", 0),
                               frame(own, "rust_panic", "", 0), frame(own, "core::panicking::panic_fmt", "", 0),
                               frame(own, "std::panicking::begin_panic_handler::{{closure}}", "", 0),
                               frame(own, "{closure#0}", "/rustc/59807616e/library/std/src/panicking.rs", 697),
                               frame(own, "<core::option::Option<T>>::unwrap", "", 0),
                               frame(own, "void std::__throw<int, 3>(int)", "/usr/include/c++/12/bits/stl.h", 1),
                               frame(own, "std::vector<int, std::allocator<int> >::at(unsigned long)", "", 0)}) {
    Backtrace backtrace;
    backtrace.frames = {kAbort, runtime, rust};
    EXPECT_EQ(site_words(backtrace, "/store/ab"), "primes.so+0x1a2f in primes::is_prime (primes.rs:7)")
        << runtime.function;
    backtrace.frames = {kAbort, runtime};
    EXPECT_EQ(site_words(backtrace, "/store/ab").find("primes.so+0x1a2f in "), 0U) << "better than the C library";
    backtrace.frames = {runtime, cpp, rust};
    EXPECT_NE(site_words(backtrace, "/store/ab").find("(join.cc:9)"), std::string::npos)
        << "what it returns is no place";
  }
  Backtrace backtrace;
  backtrace.frames = {frame(own, "(anonymous namespace)::parse(std::string)", "/src/p.cc", 3), rust};
  EXPECT_NE(site_words(backtrace, "/store/ab").find("(p.cc:3)"), std::string::npos);
}

}  // namespace
}  // namespace hostler
