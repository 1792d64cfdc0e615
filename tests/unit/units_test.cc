#include "core/units.h"

#include <gtest/gtest.h>

#include <csignal>
#include <limits>
#include <string>
#include <vector>

#include "core/exit_status.h"

namespace hostler {
namespace {

using namespace std::chrono_literals;

template <typename Value>
void expect_refused(const Result<Value> &value, const std::string &what, const std::string &hint) {
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().where, "");
  EXPECT_NE(value.error().what.find(what), std::string::npos) << value.error().what;
  EXPECT_NE(value.error().hint.find(hint), std::string::npos) << value.error().hint;
}

TEST(Durations, AreReadInEveryUnit) {
  const std::vector<std::pair<const char *, Duration>> cases{
      {"1ns", 1ns},     {"20us", 20us},       {"100ms", 100ms}, {"30s", 30s},     {"10m", 10min},
      {"2h", 2h},       {"1d", 24h},          {"0s", 0s},       {"1.5s", 1500ms}, {"0.25h", 15min},
      {"1h30m", 90min}, {"1m30.5s", 90500ms}, {"007s", 7s},     {"0.1ns", 0ns},
  };
  for (const auto &[text, value] : cases) EXPECT_EQ(parse_duration(text).value(), value) << text;
}

TEST(Durations, WithoutAUnitAreRefusedWithTheUnitsToWrite) {
  expect_refused(parse_duration("100"), "100 has no unit", "100ms, 100s");
  expect_refused(parse_duration("0"), "no unit", "0s");
}

TEST(Durations, OfAnyOtherFormAreRefused) {
  for (const char *text : {"", "s", "-1s", "+1s", "1 s", "1S", "1x", "1s1s", "1s1m", "1h30", ".5s", "1.s", "1..5s",
                           "1e3s", "ms100", "1s ", "1.2.3s", "10000000000000000000s"})
    expect_refused(parse_duration(text), "uration", "write");
}

TEST(Durations, ThatOverflowAreRefused) {
  expect_refused(parse_duration("106752d"), "too long", "290 years");
  expect_refused(parse_duration("106751d24h"), "too long", "290 years");
  EXPECT_FALSE(parse_duration("9223372036854775808ns"));
}

TEST(Durations, RoundTrip) {
  std::uint64_t bits = 1;
  for (int i = 0; i < 5000; ++i) {
    bits = bits * 6364136223846793005U + 1442695040888963407U;
    const Duration value(static_cast<std::int64_t>(bits >> (1U + bits % 62U)));
    EXPECT_EQ(parse_duration(format_duration(value)).value(), value) << format_duration(value);
  }
}

TEST(Durations, AreShownInTheUnitsAPersonWouldWrite) {
  EXPECT_EQ(format_duration(0ns), "0s");
  EXPECT_EQ(format_duration(100ms), "100ms");
  EXPECT_EQ(format_duration(1500us), "1.5ms");
  EXPECT_EQ(format_duration(60s), "1m");
  EXPECT_EQ(format_duration(90s), "1m30s");
  EXPECT_EQ(format_duration(90500ms), "1m30.5s");
  EXPECT_EQ(format_duration(25h + 1ms), "1d1h0.001s");
  EXPECT_EQ(format_duration(-2s), "-2s");
}

TEST(Sizes, AreReadInEveryUnit) {
  const std::vector<std::pair<const char *, std::int64_t>> cases{
      {"0", 0},
      {"4096", 4096},
      {"1B", 1},
      {"4K", 4096},
      {"4KiB", 4096},
      {"4KB", 4000},
      {"4kB", 4000},
      {"4k", 4096},
      {"16MiB", 16 << 20},
      {"16M", 16 << 20},
      {"1GiB", 1 << 30},
      {"1.5GB", 1500000000},
      {"0.5KiB", 512},
      {"16 MiB", 16 << 20},
      {"1TiB", std::int64_t{1} << 40},
      {"2P", std::int64_t{1} << 51},
      {"0.1MiB", 104857},
  };
  for (const auto &[text, value] : cases) EXPECT_EQ(parse_size(text).value(), value) << text;
}

TEST(Sizes, OfAnyOtherFormAreRefused) {
  for (const char *text : {"", "MiB", "-1", "1.5", "1.5B", "1  MiB", "1mib", "1Mb", "1XiB", "1MiB2", "0x10", "1,5M"})
    expect_refused(parse_size(text), "not a", "16MiB");
  expect_refused(parse_size("9000PiB"), "too large", "8191PiB");
  EXPECT_EQ(parse_size("8191PiB").value(), std::int64_t{8191} << 50U);
}

TEST(Sizes, RoundTrip) {
  for (const std::int64_t value : {0L, 1L, 1000L, 1024L, 1536L, 16L << 20, 3L << 30, 5L << 40, 7L << 50,
                                   999'999'999'999L, 1'111'151'115'000'000'000L, INT64_MAX})
    EXPECT_EQ(parse_size(format_size(value)).value(), value) << format_size(value);
  EXPECT_EQ(format_size(16 << 20), "16MiB");
  EXPECT_EQ(format_size(1536), "1536");
}

TEST(Tolerances, AreANumberOrAPercentage) {
  EXPECT_EQ(parse_tolerance("3").value(), (Tolerance{3, 0}));
  EXPECT_EQ(parse_tolerance("3%").value(), (Tolerance{0, 3}));
  EXPECT_EQ(parse_tolerance("0.1%").value(), (Tolerance{0, 0.1}));
  for (const char *text : {"", "%", "-1", "-1%", "3.5", "x%", "3 %", "nan%", "inf%", "1e400%"})
    expect_refused(parse_tolerance(text), "percentage", "0.5%");
  expect_refused(parse_tolerance("101%"), "more than all", "100%");
}

TEST(Tolerances, RoundTrip) {
  for (const char *text : {"0", "3", "3%", "0.1%", "100%"})
    EXPECT_EQ(format_tolerance(parse_tolerance(text).value()), text);
}

TEST(Signals, HaveNamesWithAndWithoutSigAndNumbers) {
  EXPECT_EQ(parse_signal("TERM").value(), SIGTERM);
  EXPECT_EQ(parse_signal("SIGTERM").value(), SIGTERM);
  EXPECT_EQ(parse_signal("sigusr1").value(), SIGUSR1);
  EXPECT_EQ(parse_signal("15").value(), SIGTERM);
  EXPECT_EQ(parse_signal("64").value(), 64);
  for (const char *text : {"", "SIG", "TERMINATE", "0", "65", "-15", "15x", "signal 40"})
    expect_refused(parse_signal(text), "not a signal", "TERM");
}

TEST(Signals, RoundTripByTheirNames) {
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH})
    EXPECT_EQ(parse_signal(signal_name(number)).value(), number);
}

TEST(Umasks, AreOctal) {
  EXPECT_EQ(parse_umask("027").value(), 027U);
  EXPECT_EQ(parse_umask("0o22").value(), 022U);
  EXPECT_EQ(parse_umask("0").value(), 0U);
  EXPECT_EQ(format_umask(027), "027");
  EXPECT_EQ(format_umask(parse_umask("077").value()), "077");
  for (const char *text : {"777", "100"}) expect_refused(parse_umask(text), "its own files", "\"027\"");
  for (const char *text : {"", "028", "1000", "-1", "27 ", "0x1", "99999999999"})
    expect_refused(parse_umask(text), "not a umask", "\"027\"");
}

TEST(Integers, FitOrAreRefused) {
  EXPECT_EQ(parse_integer("9223372036854775807").value(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-3").value(), -3);
  EXPECT_EQ(parse_integer("+3").value(), 3);
  expect_refused(parse_integer("9223372036854775808"), "too large", "64 bits");
  for (const char *text : {"", "+", "-", "+-3", "3.0", "1_000", "0x10", " 3", "3 "})
    expect_refused(parse_integer(text), "whole number", "digits");
}

TEST(Numbers, AreFinite) {
  EXPECT_EQ(parse_number("0.5").value(), 0.5);
  for (const char *text : {"", "nan", "inf", "1e999", "2x"}) expect_refused(parse_number(text), "not a number", "0.5");
}

TEST(WhatTheUserWrote, IsCutAndCleanedInMessages) {
  const auto refused = parse_duration(std::string(1000, 'x') + "\n");
  EXPECT_LT(refused.error().what.size(), 200U);
  EXPECT_EQ(parse_duration("\x1b[31m").error().what.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace hostler
