// Workers that crash, on the real kernel: what they leave, and what the symboliser makes of it.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "edge/fleet_harness.h"

namespace hostler {
namespace {

#ifdef HOSTLER_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The line of tests/plugins/crashes.cc that has this comment.
int line_of(const std::string &comment) {
  std::ifstream source(HOSTLER_SOURCE_DIR "/tests/plugins/crashes.cc");
  std::string text;
  for (int line = 1; std::getline(source, text); ++line)
    if (text.ends_with("// " + comment)) return line;
  return 0;
}

class CrashTest : public testing::Test {
 protected:
  FleetHarness h;

  FleetHarness::Seen &die(const std::string &way, bool in_thread = false) {
    std::map<std::string, std::string> params{{"do", way}};
    if (in_thread) params["thread"] = "yes";
    return gone(h.start_of("crashes.so", std::move(params)));
  }
  FleetHarness::Seen &gone(Start start) {
    const WorkerId worker = h.launch(std::move(start));
    h.until_gone(worker);
    if (h.seen[worker].crash) h.until([&] { return h.seen[worker].backtrace.has_value(); });
    return h.seen[worker];
  }

  // A frame of this function, in the line with this comment; both by their ends.
  static bool has_frame(const FleetHarness::Seen &seen, const std::string &function, const std::string &comment) {
    if (!seen.backtrace) return false;
    for (const Frame &frame : seen.backtrace->frames)
      if (frame.function.find(function) != std::string::npos && frame.file.ends_with("crashes.cc") &&
          frame.line == line_of(comment))
        return true;
    return false;
  }
  static std::string text(const FleetHarness::Seen &seen) {
    if (!seen.backtrace) return "no backtrace";
    std::string text = seen.backtrace->problem + "\n";
    for (std::size_t i = 0; i < seen.backtrace->frames.size(); ++i) text += words(seen.backtrace->frames[i], i) + "\n";
    return text;
  }
};

struct Kind {
  const char *way;
  const char *function;
  int signal;
};

class EachKindOfCrash : public CrashTest, public testing::WithParamInterface<Kind> {};

TEST_P(EachKindOfCrash, TellsFunctionFileAndLine) {
  const auto &[way, function, signal] = GetParam();
  const bool deep = std::string(way) == "overflow";
  if (kSanitized && std::string(way) == "heap") GTEST_SKIP() << "the sanitizer has its own words for it";
  for (const bool in_thread : {false, true}) {
    if (kSanitized && in_thread && deep) continue;
    const auto &seen = die(way, in_thread);
    EXPECT_EQ(*seen.status, (WaitStatus{true, signal, seen.status->core}));
    ASSERT_TRUE(seen.crash) << in_thread;
    EXPECT_TRUE(has_frame(seen, function, way)) << in_thread << "\n" << text(seen);
    EXPECT_EQ(seen.crash->main_thread, !in_thread);
    EXPECT_EQ(seen.crash->tid == *seen.pid, !in_thread);
    if (deep) continue;  // too deep to be seen to its end
    EXPECT_NE(text(seen).find(in_thread ? "Careless::work(" : " run (/"), std::string::npos) << text(seen);
  }
}

INSTANTIATE_TEST_SUITE_P(Crash, EachKindOfCrash,
                         testing::Values(Kind{"null", "read_nowhere", SIGSEGV}, Kind{"fpe", "divide", SIGFPE},
                                         Kind{"ill", "run_into_trap", SIGILL}, Kind{"bus", "read_behind_end", SIGBUS},
                                         Kind{"jump", "jump_away", SIGSEGV}, Kind{"overflow", "overflow", SIGSEGV},
                                         Kind{"heap", "break_heap", SIGABRT}, Kind{"abort", "give_up", SIGABRT},
                                         Kind{"throw", "throw_it", SIGABRT},
                                         Kind{"throw_number", "throw_number", SIGABRT}),
                         [](const auto &kind) { return std::string(kind.param.way); });

TEST_F(CrashTest, AFunctionInCIsCalledByItsNameThoughItLooksMangled) {
  const auto &seen = gone(h.start_of("crash.so"));
  ASSERT_TRUE(seen.backtrace);
  ASSERT_FALSE(seen.backtrace->frames.empty());
  EXPECT_EQ(seen.backtrace->frames.front().function, "f");
}

TEST_F(CrashTest, SaysWhereTheFaultWas) {
  const auto &null = die("null");
  EXPECT_EQ(null.crash->detail, "address 0x8");
  EXPECT_EQ(null.crash->site.substr(0, 13), "crashes.so+0x");
  EXPECT_EQ(signal_words(*null.crash), "SIGSEGV, address not mapped, address 0x8");
  const auto &jump = die("jump");
  EXPECT_EQ(jump.crash->site, "0x8 (no code there)");
}

TEST_F(CrashTest, SaysWhatNobodyCaught) {
  EXPECT_EQ(die("throw").crash->detail, "uncaught std::runtime_error: nobody catches this");
  EXPECT_EQ(die("throw_number").crash->detail, "uncaught int");
  h.until([&] { return h.log().find("nobody catches this") != std::string::npos; });
}

TEST_F(CrashTest, WhileItsPluginIsBeingLoadedIsToldAsWell) {
  Start start = h.start_of("crashes.so");
  start.env["CRASHES_WHILE_LOADING"] = "1";
  const auto &seen = gone(start);
  EXPECT_EQ(seen.status->value, SIGSEGV);
  EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Loading);
  EXPECT_TRUE(has_frame(seen, "read_nowhere", "null")) << text(seen);
}

TEST_F(CrashTest, OfAThreadThatWasStartedWithAllSignalsBlockedIsToldAsWell) {
  const auto &seen = gone(h.start_of("crashes.so", {{"do", "null"}, {"thread", "blocked"}}));
  EXPECT_EQ(seen.status->value, SIGSEGV);
  EXPECT_TRUE(kSanitized || has_frame(seen, "read_nowhere", "null")) << text(seen);
}

TEST_F(CrashTest, OfCodeThatHasBlockedAllSignalsIsToldAsWell) {
  for (const auto &[key, value] : {std::pair{"blocks", "yes"}, std::pair{"thread", "blocks"}}) {
    const auto &seen = gone(h.start_of("crashes.so", {{"do", "null"}, {key, value}}));
    EXPECT_EQ(seen.status->value, SIGSEGV);
    EXPECT_TRUE(kSanitized || has_frame(seen, "read_nowhere", "null")) << key << "\n" << text(seen);
  }
}

TEST_F(CrashTest, OfAThreadWithASmallStackIsToldAsWell) {
  for (const char *way : {"null", "overflow"}) {
    const auto &seen = gone(h.start_of("crashes.so", {{"do", way}, {"thread", "small"}}));
    EXPECT_EQ(seen.status->value, SIGSEGV);
    const bool deep = std::string(way) == "overflow";
    EXPECT_TRUE(kSanitized || has_frame(seen, deep ? "overflow" : "read_nowhere", way)) << text(seen);
  }
}

TEST_F(CrashTest, OfAThreadThatHasOutlivedTheMainThreadIsToldAsWell) {
  const auto &seen = die("alone");
  EXPECT_EQ(seen.status->value, SIGSEGV);
  EXPECT_TRUE(kSanitized || has_frame(seen, "read_nowhere", "null")) << text(seen);
}

TEST_F(CrashTest, AmongMoreCodeThanThereIsRoomForIsToldAsWell) {
  const auto &seen = die("crowded");
  EXPECT_EQ(seen.status->value, SIGSEGV);
  EXPECT_EQ(seen.crash->site.substr(0, 13), "crashes.so+0x");
  EXPECT_TRUE(has_frame(seen, "read_nowhere", "null")) << text(seen);
  EXPECT_NE(text(seen).find(" run (/"), std::string::npos) << text(seen);
}

TEST_F(CrashTest, OfAPluginThatHasMappedItsOwnFileAsDataIsToldAsWell) {
  const auto &seen = die("mapped");
  EXPECT_TRUE(has_frame(seen, "read_nowhere", "null")) << text(seen);
}

TEST_F(CrashTest, OfTwoThreadsAtOnceIsOneDeath) {
  const auto &seen = die("race");
  EXPECT_EQ(seen.status->value, SIGSEGV);
  EXPECT_TRUE(has_frame(seen, "read_nowhere", "null")) << text(seen);
}

TEST_F(CrashTest, OfAProcessThatThePluginForkedIsNotTheWorkers) {
  const auto &seen = die("fork");
  EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
  EXPECT_FALSE(seen.crash);
}

TEST_F(CrashTest, BelongsToThePluginsOwnHandlerIfItHasOne) {
  const auto &seen = die("own_handler");
  EXPECT_EQ(*seen.status, (WaitStatus{false, 33, false}));
  EXPECT_FALSE(seen.crash);
}

TEST_F(CrashTest, AskedForWithSigabrtShowsTheMainThread) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "ignore_stop"}});
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  ::kill(*h.seen[worker].pid, SIGABRT);
  h.until([&] { return h.seen[worker].backtrace.has_value(); });
  const auto &seen = h.seen[worker];
  EXPECT_EQ(seen.crash->sender, ::getpid());
  EXPECT_TRUE(seen.crash->main_thread);
  EXPECT_NE(text(seen).find("ignore_stop"), std::string::npos) << text(seen);  // its own ready() may not be over yet
}

TEST_F(CrashTest, IsKeptInAFileAndOneThatIsKnownNotLookedIntoTooOften) {
  std::string last;
  for (int i = 0; i < 10; ++i) {
    const auto &seen = die("null");
    ASSERT_NE(seen.backtrace->file, "") << seen.backtrace->problem;
    last = seen.backtrace->file;
  }
  EXPECT_TRUE(last.starts_with(h.dir.path("crashes/entry/"))) << last;
  const std::string report = read_file(last);
  EXPECT_NE(report.find("it crashed\n"), std::string::npos) << report;
  EXPECT_NE(report.find("crashes.cc:" + std::to_string(line_of("null"))), std::string::npos) << report;
  EXPECT_NE(report.find("mapped code:\n"), std::string::npos) << report;
  // The next one is not looked into, and yet explained.
  const auto &more = die("null");
  EXPECT_TRUE(more.backtrace->repeated);
  EXPECT_EQ(more.backtrace->file, last);
  EXPECT_TRUE(has_frame(more, "read_nowhere", "null")) << text(more);
}

// And so is any later: what is known is looked into again after a while.
TEST(CrashFiles, OfAnEntryTheLastTenAreKept) {
  FleetHarness h(HOSTLER_BINARY, FleetOptions{}.patience, Duration::zero());
  std::set<std::string> files;
  for (int i = 0; i < 12; ++i) {
    const WorkerId worker = h.launch("crashes.so", {{"do", "null"}});
    h.until([&] { return h.seen[worker].backtrace.has_value(); });
    EXPECT_FALSE(h.seen[worker].backtrace->repeated);
    files.insert(h.seen[worker].backtrace->file);
  }
  ASSERT_EQ(files.size(), 12U);
  files.erase(files.begin(), std::next(files.begin(), 2));  // their names begin with the time
  std::set<std::string> kept;
  for (const auto &file : std::filesystem::directory_iterator(h.dir.path("crashes/entry"))) kept.insert(file.path());
  EXPECT_EQ(kept, files);
}

TEST_F(CrashTest, LeavesNothingInItsPlaceForTheNext) {
  die("null");
  EXPECT_FALSE(die("kill_me_not").crash);
  const WorkerId worker = h.launch("misbehave.so", {{"do", "kill"}});
  h.until_gone(worker);
  EXPECT_FALSE(h.seen[worker].crash);
}

}  // namespace
}  // namespace hostler
