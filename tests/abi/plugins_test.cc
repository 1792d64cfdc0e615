// The plugins that ship, loaded as a worker loads them, on a host made by hand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "exec/command.h"
#include "fake_host.h"
#include "loaded_plugin.h"
#include "wordcount/tally.h"

namespace abi_test {
namespace {

TEST(ShippedPlugins, SayWhoTheyAre) {
  for (const std::string name : {"template", "wordcount", "aggregate", "tick", "exec"}) {
    const Plugin plugin(name);
    EXPECT_EQ(plugin.about().magic, HOSTLER_MAGIC);
    EXPECT_EQ(plugin.about().struct_size, int64_t{sizeof(hostler_plugin_t)});
    EXPECT_EQ(plugin.about().abi_minor, HOSTLER_ABI_MINOR);
    EXPECT_EQ(plugin.about().id, name);
  }
}

TEST(Template, AddsUpItsRange) {
  FakeHost host;
  host.set_range(HOSTLER_RANGE, 10, 14);
  EXPECT_EQ(Plugin("template").run(host), HOSTLER_DONE);
  EXPECT_EQ(host.result, "46\n");
  EXPECT_EQ(host.counters["sum"], 46);
}

TEST(Template, SaysWhichInputItNeeds) {
  FakeHost host;
  EXPECT_EQ(Plugin("template").run(host), HOSTLER_BAD_CONFIG);
  EXPECT_NE(host.failure.find("range"), std::string::npos);
}

TEST(Tick, LogsAndLeavesWhenAskedToStop) {
  FakeHost host;
  host.instances = 3;
  host.params["interval"] = "3600";
  host.stop(HOSTLER_CANCEL);
  EXPECT_EQ(Plugin("tick").run(host), HOSTLER_DONE);
  EXPECT_EQ(host.log, (std::vector<std::string>{"instance 0 of 3: tick 1", "instance 0: asked to stop after 1 ticks"}));
  EXPECT_EQ(host.ready, 1);
  EXPECT_EQ(host.heartbeats, 1);
}

TEST(Tick, RefusesAnAbsurdInterval) {
  for (const char *interval : {"0", "-1", "nan", "1e9", "soon"}) {
    FakeHost host;
    host.params["interval"] = interval;
    EXPECT_EQ(Plugin("tick").run(host), HOSTLER_BAD_CONFIG) << interval;
  }
}

TEST(Tally, TakesMaximalRunsOfLettersInLowerCase) {
  wordcount::Tally tally;
  EXPECT_EQ(tally.add_line("The cat, the_CAT; don't 4x4 na\xc3\xafve"), 9);
  std::string ranked;
  for (const auto &entry : tally.ranked()) ranked += to_line(entry);
  EXPECT_EQ(ranked, "2\tcat\n2\tthe\n1\tdon\n1\tna\n1\tt\n1\tve\n1\tx\n");
}

TEST(Tally, AddsUpItsOwnText) {
  wordcount::Tally first;
  first.add_line("b a a");
  wordcount::Tally second;
  second.add_line("a c");
  EXPECT_TRUE(second.add_text(first.to_text()));
  EXPECT_EQ(second.ranked().front().count, 3);
  EXPECT_EQ(second.ranked().size(), 3U);
}

TEST(Tally, RefusesTextItDidNotMake) {
  for (const char *text : {"3", "3\tword", "3 word\n", "\tword\n", "3\t\n", "\n", "99999999999999999999\tword\n"}) {
    EXPECT_FALSE(wordcount::Tally().add_text(text)) << text;
  }
}

TEST(Wordcount, LeavesTheCountsOfItsSlice) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "one two\nTwo\nthree\n"), 0, 9);
  EXPECT_EQ(Plugin("wordcount").run(host), HOSTLER_DONE);
  EXPECT_EQ(host.counters["lines"], 2);
  EXPECT_EQ(host.counters["words"], 3);
  wordcount::Tally tally;
  EXPECT_TRUE(tally.add_text(host.result));
  EXPECT_EQ(to_line(tally.ranked().front()), "2\ttwo\n");
}

TEST(Wordcount, MergesIntoAllWordsAndTheTop) {
  static int calls;
  calls = 0;
  hostler_results_t results{};
  results.next = [](hostler_results_t *, hostler_range_t *out) {
    static constexpr std::string_view kCounts[] = {"2\tb\n1\ta\n", "5\tc\n1\ta\n"};
    if (calls == 2) return 0;
    out->result = kCounts[calls].data();
    out->result_size = static_cast<int64_t>(kCounts[calls++].size());
    return 1;
  };
  FakeHost host;
  host.params["top"] = "1";
  EXPECT_EQ(Plugin("wordcount").merge(host, &results), HOSTLER_DONE);
  EXPECT_EQ(host.output("words.tsv"), "5\tc\n2\ta\n2\tb\n");
  EXPECT_EQ(host.output("top.txt"), "5\tc\n");
  EXPECT_EQ(host.result, "5\tc\n");
}

TEST(Wordcount, RefusesANegativeTopAtItsFirstSlice) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "one\n"), 0, 4);
  host.params["top"] = "-1";
  EXPECT_EQ(Plugin("wordcount").run(host), HOSTLER_BAD_CONFIG);
  EXPECT_EQ(host.failure, "the parameter 'top' is -1, expected 0 or more");
}

TEST(ExecCommand, IsAListOfWords) {
  EXPECT_EQ(exec::parse_command(R"(["head", "-n", 5, true])"), (std::vector<std::string>{"head", "-n", "5", "true"}));
  for (const char *bad : {"", "sort -u", "[]", "[\"\"]", "{}", "\"sort\"", "[[\"sort\"]]", "[null]"}) {
    EXPECT_FALSE(exec::parse_command(bad)) << bad;
  }
}

TEST(ExecCommand, HasEachPlaceholderFilledInOnce) {
  EXPECT_EQ(exec::fill_in({"cp", "{}", "{}.bak", "{ }"}, "a{}b"),
            (std::vector<std::string>{"cp", "a{}b", "a{}b.bak", "{ }"}));
}

/// A host with a command for exec.
class ExecTest : public testing::Test {
 protected:
  int exec(const std::string &command) {
    host.params["command"] = command;
    return Plugin("exec").run(host);
  }

  const TempDir dir;
  FakeHost host;
};

TEST_F(ExecTest, GivesTheExactLinesOnStdin) {
  host.set_file(HOSTLER_LINES, dir.write("text", "one\ntwo\nthree\nfour\n"), 2, 9);
  EXPECT_EQ(exec(R"(["sort", "-r"])"), HOSTLER_DONE);
  EXPECT_EQ(host.output("stdout"), "two\nthree\n");
  EXPECT_EQ(host.claimed(), 9);
}

TEST_F(ExecTest, FeedsMoreThanAPipeHolds) {
  const std::string content = std::string(3'000'000, 'x') + "\n";
  host.set_file(HOSTLER_LINES, dir.write("text", content), 0, static_cast<int64_t>(content.size()));
  EXPECT_EQ(exec(R"(["cat"])"), HOSTLER_DONE);
  EXPECT_EQ(host.output("stdout"), content);
}

TEST_F(ExecTest, DoesNotMindAProgramThatReadsNothing) {
  const std::string content = std::string(3'000'000, 'x') + "\n";
  host.set_file(HOSTLER_LINES, dir.write("text", content), 0, static_cast<int64_t>(content.size()));
  EXPECT_EQ(exec(R"(["true"])"), HOSTLER_DONE);
}

TEST_F(ExecTest, RunsNothingWhereNoLineStarts) {
  host.set_file(HOSTLER_LINES, dir.write("text", "a long line\n"), 2, 5);
  EXPECT_EQ(exec(R"(["false"])"), HOSTLER_DONE);
  EXPECT_EQ(host.claimed(), 5);
}

TEST_F(ExecTest, RunsOnceForEachItem) {
  host.set_items({"b", "a b"}, 4);
  EXPECT_EQ(exec(R"(["sh", "-c", "echo \"$1|$HOSTLER_ITEM|$HOSTLER_BEGIN\"", "sh", "<{}>"])"), HOSTLER_DONE);
  EXPECT_EQ(host.output("stdout"), "<b>|b|4\n<a b>|a b|4\n");
  EXPECT_EQ(host.claimed(), 6);
}

TEST_F(ExecTest, RunsOnceForEachNumber) {
  host.set_range(HOSTLER_RANGE, 3, 6);
  EXPECT_EQ(exec(R"(["echo", "{}"])"), HOSTLER_DONE);
  EXPECT_EQ(host.output("stdout"), "3\n4\n5\n");
}

TEST_F(ExecTest, PutsTheSliceIntoTheEnvironment) {
  const std::string path = dir.write("photo", "x");
  host.set_file(HOSTLER_FILE, path, 0, 1);
  host.slice()->index = 3;
  host.slice()->count = 9;
  host.slice()->attempt = 2;
  EXPECT_EQ(
      exec(R"(["sh", "-c", "echo $HOSTLER_INDEX $HOSTLER_COUNT $HOSTLER_ATTEMPT $HOSTLER_PATH $HOSTLER_WORKER {}"])"),
      HOSTLER_DONE);
  EXPECT_EQ(host.output("stdout"), "3 9 2 " + path + " fake " + path + "\n");
}

TEST_F(ExecTest, StopsAtTheFirstItemThatFails) {
  host.set_items({"1", "2", "3"});
  EXPECT_EQ(exec(R"(["sh", "-c", "echo {}; test {} != 2"])"), HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "sh on 2 exited with code 1");
  EXPECT_EQ(host.output("stdout"), "1\n2\n");
}

TEST_F(ExecTest, NamesTheSignalThatKilledTheProgram) {
  host.set_range(HOSTLER_RANGE, 0, 1);
  EXPECT_EQ(exec(R"(["sh", "-c", "kill -SEGV $$"])"), HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "sh on 0 was killed by SIGSEGV");
}

TEST_F(ExecTest, TakesExitCodesForVerdictsWhenToldTo) {
  host.set_range(HOSTLER_RANGE, 0, 1);
  EXPECT_EQ(exec(R"(["sh", "-c", "exit 65"])"), HOSTLER_ERROR);
  FakeHost told;
  told.set_range(HOSTLER_RANGE, 0, 1);
  told.params = {{"command", R"(["sh", "-c", "exit 65"])"}, {"exit_codes", "sysexits"}};
  EXPECT_EQ(Plugin("exec").run(told), HOSTLER_BAD_DATA);
}

TEST_F(ExecTest, EndsTheEntryWhenTheProgramIsMissing) {
  host.set_range(HOSTLER_RANGE, 0, 1);
  EXPECT_EQ(exec(R"(["no-such-program-anywhere"])"), HOSTLER_BAD_CONFIG);
  EXPECT_EQ(host.failure.find("cannot run 'no-such-program-anywhere': No such file or directory"), 0U) << host.failure;
}

TEST_F(ExecTest, RefusesParamsThatItDoesNotUnderstand) {
  EXPECT_EQ(exec("sort -u"), HOSTLER_BAD_CONFIG);
  EXPECT_EQ(host.failure, "the parameter 'command' must be a list of words like [sort, -u], it is sort -u");
  host.params["stdout"] = "output";
  EXPECT_EQ(exec(R"(["true"])"), HOSTLER_BAD_CONFIG) << "a service has no output";
  host.params["stdout"] = "log";
  host.params["exit_codes"] = "strange";
  EXPECT_EQ(exec(R"(["true"])"), HOSTLER_BAD_CONFIG);
}

TEST_F(ExecTest, PassesAStopOnToAService) {
  host.stop(HOSTLER_CANCEL);
  EXPECT_EQ(exec(R"(["sleep", "1000"])"), HOSTLER_DONE);
  EXPECT_EQ(host.ready, 1);
}

TEST_F(ExecTest, FailsWithAServiceThatFails) {
  EXPECT_EQ(exec(R"(["sh", "-c", "exit 3"])"), HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "sh exited with code 3");
}

TEST_F(ExecTest, YieldsTheSliceWhenItsTimeIsUp) {
  host.set_file(HOSTLER_FILE, dir.write("empty", ""), 0, 0);
  host.stop(HOSTLER_DEADLINE);
  EXPECT_EQ(exec(R"(["sleep", "1000"])"), HOSTLER_YIELD);
}

TEST_F(ExecTest, LetsTheProgramDieWithItsWorker) {
  int log[2];
  ASSERT_EQ(::pipe2(log, O_CLOEXEC), 0);
  const pid_t worker = ::fork();
  if (worker == 0) {
    ::dup2(log[1], STDOUT_FILENO);
    ::close(log[1]);
    exec(R"(["sh", "-c", "echo up; exec sleep 1000"])");
    ::_exit(0);
  }
  ::close(log[1]);
  char text[8];
  ASSERT_EQ(::read(log[0], text, sizeof text), 3);
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  EXPECT_EQ(::read(log[0], text, sizeof text), 0) << "the pipe ends when the last process that holds it is gone";
  ::close(log[0]);
}

}  // namespace
}  // namespace abi_test
