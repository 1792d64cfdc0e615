// The shipped plugin aggregate: its parts, and the whole on a host made by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "aggregate/fields.h"
#include "aggregate/merging.h"
#include "aggregate/number.h"
#include "aggregate/table.h"
#include "fake_host.h"
#include "loaded_plugin.h"

namespace abi_test {
namespace {

using aggregate::Dialect;
using aggregate::Fields;
using aggregate::Stats;
using aggregate::Table;

std::string again(std::string_view text) {
  const auto number = aggregate::parse_number(text);
  if (!number) return "none";
  std::string shown;
  aggregate::append_number(shown, *number);
  return shown;
}

TEST(AggregateNumber, IsShownWithAsManyDecimalsAsItNeeds) {
  const std::pair<const char *, const char *> kNumbers[] = {
      {"0", "0"},
      {"-0", "0"},
      {"007", "7"},
      {"+3", "3"},
      {"-12.50", "-12.5"},
      {".5", "0.5"},
      {"-.5", "-0.5"},
      {"5.", "5"},
      {"1.000000001", "1.000000001"},
      {"10.01", "10.01"},
      {"999999999999999999.999999999", "999999999999999999.999999999"},
  };
  for (const auto &[text, shown] : kNumbers) EXPECT_EQ(again(text), shown) << text;
}

TEST(AggregateNumber, RefusesWhatIsNoPlainDecimal) {
  for (const char *text : {"", "-", "+", ".", "1e5", " 1", "1 ", "1,5", "0x10", "--1", "1.2.3", "nan", "inf",
                           "1.0000000001", "1000000000000000000"})
    EXPECT_EQ(again(text), "none") << text;
}

TEST(AggregateNumber, SumsUpWithoutRounding) {
  aggregate::Number sum = 0;
  for (int i = 0; i < 10; i++) EXPECT_TRUE(aggregate::add(sum, *aggregate::parse_number("0.1")));
  EXPECT_EQ(sum, *aggregate::parse_number("1"));
}

TEST(AggregateNumber, SaysWhenASumIsTooLarge) {
  const auto most = aggregate::parse_number("100000000000000000000000000000", aggregate::kMostSumDigits);
  ASSERT_TRUE(most);
  aggregate::Number sum = *most;
  EXPECT_FALSE(aggregate::add(sum, *most));
  EXPECT_EQ(sum, *most);
}

/// The columns with '|' between them, or what is wrong in parentheses.
std::string columns_of(const Dialect &dialect, std::string_view line) {
  Fields fields(dialect);
  fields.split("what,\"was\",before");
  if (const auto wrong = fields.split(line); !wrong.empty()) return "(" + std::string(wrong) + ")";
  std::string text;
  for (const auto column : fields.columns()) text += (text.empty() ? "" : "|") + std::string(column);
  return text;
}

TEST(AggregateFields, StandBetweenDelimiters) {
  EXPECT_EQ(columns_of({}, "a,b c,"), "a|b c|");
  EXPECT_EQ(columns_of({'\t', false, false}, "a\t\"b\t\"\"c"), "a|\"b|\"\"c");
  EXPECT_EQ(columns_of({';', false, true}, "1,5;x\r"), "1,5|x");
}

TEST(AggregateFields, StandBetweenRunsOfBlanks) {
  const Dialect blanks{' ', true, false};
  EXPECT_EQ(columns_of(blanks, "  a \t b\tc  \r"), "a|b|c");
  EXPECT_EQ(columns_of(blanks, " \t "), "");
}

TEST(AggregateFields, MayStandInQuotes) {
  EXPECT_EQ(columns_of({}, R"("a,b",c,"",d)"), "a,b|c||d");
  EXPECT_EQ(columns_of({}, R"(x,"say ""hi"", she said","""")"), R"(x|say "hi", she said|")");
  EXPECT_EQ(columns_of({}, "\"a\",\"b\"\r"), "a|b");
}

TEST(AggregateFields, SayWhatIsWrongWithQuotes) {
  EXPECT_EQ(columns_of({}, R"(a,"b)"), "(a quote is not closed on its line)");
  EXPECT_EQ(columns_of({}, R"(a,"b"")"), "(a quote is not closed on its line)");
  EXPECT_EQ(columns_of({}, R"(a,b"c",d)"), "(a quote stands in the middle of a column)");
  EXPECT_EQ(columns_of({}, R"("a"b,c)"), "(something follows a closing quote)");
}

Stats stats(std::string_view value) {
  return Stats::of(*aggregate::parse_number(value));
}

TEST(AggregateTable, KeepsCountSumLeastAndGreatest) {
  Table table(true);
  for (const char *value : {"2", "-1.5", "10"}) EXPECT_TRUE(table.add("b", stats(value)));
  EXPECT_TRUE(table.add("a", stats("0.25")));
  EXPECT_EQ(table.to_text(), "a\t1\t0.25\t0.25\t0.25\nb\t3\t10.5\t-1.5\t10\n");
}

TEST(AggregateTable, AddsUpItsOwnText) {
  Table first(true);
  EXPECT_TRUE(first.add("with\ttab", stats("3")));
  EXPECT_TRUE(first.add("", stats("-99999999999999999.5")));
  Table second(true);
  EXPECT_TRUE(second.add("with\ttab", stats("-4")));
  EXPECT_TRUE(second.add_text(first.to_text()));
  EXPECT_EQ(second.to_text(),
            "\t1\t-99999999999999999.5\t-99999999999999999.5\t-99999999999999999.5\n"
            "with\ttab\t2\t-1\t-4\t3\n");
}

TEST(AggregateTable, RefusesTextItDidNotMake) {
  for (const char *text : {"a", "a\t1", "a\n", "a\t0\n", "a\t-1\n", "a\tx\n", "\n", "a\t99999999999999999999\n"})
    EXPECT_FALSE(Table(false).add_text(text)) << text;
  for (const char *text : {"a\t1\n", "a\t1\t2\t3\n", "a\t1\t2\t3\tx\n", "a\tx\t2\t3\t4\n"})
    EXPECT_FALSE(Table(true).add_text(text)) << text;
}

TEST(AggregateMerging, MakesOneTableOfManyInTheOrderOfTheirKeys) {
  std::string merged;
  const auto take = [&merged](const aggregate::Row &row) { append_row(merged, row, false); };
  EXPECT_TRUE(aggregate::merge_tables({"a\t1\nc\t2\n", "", "b\t3\nc\t4\n\xff\t1\n", "c\t5\n"}, false, take));
  EXPECT_EQ(merged, "a\t1\nb\t3\nc\t11\n\xff\t1\n");
}

TEST(AggregateMerging, SaysWhenATableIsDamaged) {
  const auto take = [](const aggregate::Row &) {};
  EXPECT_FALSE(aggregate::merge_tables({"a\t1\n", "a\t1\nb\n"}, false, take));
}

/// A host with one file, that keeps what is put aside and what checkpoints save.
class AggregateTest : public testing::Test {
 protected:
  struct Aside {
    int64_t begin;
    int64_t end;
    std::string reason;
    bool operator==(const Aside &) const = default;
  };
  struct Save {
    int64_t position;
    std::string data;
    std::map<std::string, int64_t> counters;
  };

  AggregateTest() {
    asides.clear();
    saves.clear();
    the_host = &host;
    use_segments(host);
  }

  static void use_segments(FakeHost &host) {
    host.table()->skip = [](const hostler_slice_t *, int64_t begin, int64_t end, const char *reason) {
      if (static_cast<int>(asides.size()) == room_for_asides) return -EMSGSIZE;
      return asides.push_back({begin, end, reason}), 0;
    };
    host.table()->checkpoint = [](const hostler_slice_t *, int64_t position, const void *data, int64_t size) {
      const std::string bytes(static_cast<const char *>(data), static_cast<size_t>(size));
      room_for_asides = -1;
      return saves.push_back({position, bytes, the_host->counters}), 0;
    };
  }

  void use(const std::string &content) {
    host.set_file(HOSTLER_LINES, dir.write("a.csv", content), 0, static_cast<int64_t>(content.size()));
  }
  int run() { return Plugin("aggregate").run(host); }

  static std::vector<Aside> asides;
  static std::vector<Save> saves;
  static int room_for_asides;
  static FakeHost *the_host;
  const TempDir dir;
  FakeHost host;
};
std::vector<AggregateTest::Aside> AggregateTest::asides;
std::vector<AggregateTest::Save> AggregateTest::saves;
int AggregateTest::room_for_asides = -1;
FakeHost *AggregateTest::the_host = nullptr;

TEST_F(AggregateTest, GroupsByNamedColumnsInWhateverOrderAFileHasThem) {
  host.params = {{"header", "true"}, {"key", R"(["to","from"])"}, {"value", "late"}};
  use("\xEF\xBB\xBF"
      "from,late,to\r\nA,5,B\r\n\r\nA,-7.5,B\r\n\"A, too\",1,B\n");
  EXPECT_EQ(run(), HOSTLER_DONE) << host.failure;
  EXPECT_EQ(host.result, "B\tA\t2\t-2.5\t-7.5\t5\nB\tA, too\t1\t1\t1\t1\n");
  EXPECT_EQ(host.counters["lines"], 3);
  EXPECT_EQ(asides.size(), 0U);
}

TEST_F(AggregateTest, CountsWhereNoValueIsAskedFor) {
  host.params = {{"key", "2"}, {"delimiter", "blanks"}};
  use("  GET /a 200\nGET /b\nPUT\t/a");
  EXPECT_EQ(run(), HOSTLER_DONE) << host.failure;
  EXPECT_EQ(host.result, "/a\t2\n/b\t1\n");
}

TEST_F(AggregateTest, PutsAsideWhatDoesNotFit) {
  host.params = {{"header", "true"}, {"key", "k"}, {"value", "2"}};
  use("k,v\na,1\nb\nc,\nd,x\n\"e\tf\",1\ng,\"1\nh,1,2\n");
  EXPECT_EQ(run(), HOSTLER_DONE) << host.failure;
  EXPECT_EQ(host.result, "a\t1\t1\t1\t1\n");
  EXPECT_EQ(asides, (std::vector<Aside>{{8, 10, "the line has 1 column, the header 2"},
                                        {10, 13, "column 2 is '', expected a number"},
                                        {13, 17, "column 2 is 'x', expected a number"},
                                        {17, 25, "column 1 holds a tab, which cannot stand in the output"},
                                        {25, 30, "a quote is not closed on its line"},
                                        {30, 36, "the line has 3 columns, the header 2"}}));
}

TEST_F(AggregateTest, MakesRoomByACheckpointWhenTooMuchIsPutAside) {
  host.params = {{"key", "1"}, {"value", "2"}};
  use("a,1\nb\nc\n");
  room_for_asides = 1;
  EXPECT_EQ(run(), HOSTLER_DONE) << host.failure;
  EXPECT_EQ(asides.size(), 2U);
  ASSERT_EQ(saves.size(), 1U);
  EXPECT_EQ(saves[0].position, 6);
  EXPECT_EQ(saves[0].data, "a\t1\t1\t1\t1\n");
}

TEST_F(AggregateTest, GivesTheSliceUpOnAHostWhereNothingCanBePutAside) {
  host.table()->skip = nullptr;
  host.params = {{"key", "2"}};
  use("a,b\nc\n");
  EXPECT_EQ(run(), HOSTLER_BAD_DATA);
  EXPECT_NE(host.failure.find("a.csv: the line at byte 4: the line has 1 column, expected at least 2"),
            std::string::npos)
      << host.failure;
}

TEST_F(AggregateTest, GoesOnFromEachOfItsCheckpoints) {
  std::string content;
  for (int i = 0; i < 900; i++) content += "key" + std::to_string(i % 7) + "," + std::to_string(i) + "\n";
  host.params = {{"key", "1"}, {"value", "2"}, {"checkpoint", "0"}};
  use(content);
  ASSERT_EQ(run(), HOSTLER_DONE) << host.failure;
  ASSERT_EQ(saves.size(), 3U);
  const std::string whole = host.result;
  EXPECT_EQ(whole.substr(0, whole.find('\n')), "key0\t129\t57792\t0\t896");
  const std::vector<Save> first_saves = saves;
  for (const Save &save : first_saves) {
    FakeHost next;
    the_host = &next;
    use_segments(next);
    next.params = host.params;
    next.set_file(HOSTLER_LINES, host.slice()->path, 0, static_cast<int64_t>(content.size()));
    next.slice()->resume = save.position;
    next.slice()->checkpoint = save.data.data();
    next.slice()->checkpoint_size = static_cast<int64_t>(save.data.size());
    EXPECT_EQ(Plugin("aggregate").run(next), HOSTLER_DONE) << next.failure;
    EXPECT_EQ(next.result, whole) << save.position;
    EXPECT_EQ(save.counters.at("lines") + next.counters["lines"], 900) << save.position;
  }
}

TEST_F(AggregateTest, LeavesALargeTableAsAFileAndMergesBothKinds) {
  std::string content;
  for (int i = 0; i < 10'000; i++) content += "k" + std::to_string(i) + "\n";
  host.params = {{"key", "1"}};
  use(content);
  ASSERT_EQ(run(), HOSTLER_DONE) << host.failure;
  EXPECT_EQ(host.result, "");

  static std::string file;
  static const char *files[1];
  static int calls;
  file = dir.write("table.tsv", host.output("table.tsv"));
  files[0] = file.c_str();
  calls = 0;
  hostler_results_t results{};
  results.next = [](hostler_results_t *, hostler_range_t *out) {
    static constexpr std::string_view kSmall = "a\t1\nk17\t2\n";
    if (calls++ == 2) return 0;
    out->result = calls == 1 ? kSmall.data() : nullptr;
    out->result_size = calls == 1 ? static_cast<int64_t>(kSmall.size()) : 0;
    out->files = files;
    out->file_count = calls == 1 ? 0 : 1;
    return 1;
  };
  FakeHost merging;
  merging.params = host.params;
  EXPECT_EQ(Plugin("aggregate").merge(merging, &results), HOSTLER_DONE) << merging.failure;
  const std::string merged = merging.output("aggregate.tsv");
  EXPECT_EQ(merged.substr(0, 11), "a\t1\nk0\t1\nk1");
  EXPECT_NE(merged.find("\nk17\t3\n"), std::string::npos);
  EXPECT_EQ(std::count(merged.begin(), merged.end(), '\n'), 10'001);
  EXPECT_EQ(merging.counters["keys"], 10'001);
  EXPECT_EQ(merging.result, "10001 keys in aggregate.tsv\n");
}

TEST_F(AggregateTest, RefusesParametersThatMakeNoSense) {
  const std::map<std::string, std::string> kWrong[] = {
      {},
      {{"key", "0"}},
      {{"key", "name"}},
      {{"key", "[]"}},
      {{"key", "[1"}},
      {{"key", "1"}, {"value", "-1"}},
      {{"key", "1"}, {"delimiter", "ab"}},
      {{"key", "1"}, {"delimiter", "\""}},
      {{"key", "1"}, {"delimiter", "blanks"}, {"quotes", "true"}},
      {{"key", "1"}, {"header", "perhaps"}},
      {{"key", "1"}, {"checkpoint", "-1"}},
      {{"key", "1"}, {"checkpoint", "1e300"}},
      {{"key", "3"}, {"header", "true"}},
      {{"key", "c"}, {"header", "true"}},
  };
  for (const auto &params : kWrong) {
    FakeHost refusing;
    refusing.params = params;
    refusing.set_file(HOSTLER_LINES, dir.write("b.csv", "a,b\n1,2\n"), 0, 8);
    EXPECT_EQ(Plugin("aggregate").run(refusing), HOSTLER_BAD_CONFIG) << testing::PrintToString(params);
    EXPECT_NE(refusing.failure, "") << testing::PrintToString(params);
  }
  host.params = {{"key", "c"}, {"header", "true"}};
  use("a,b\n1,2\n");
  EXPECT_EQ(run(), HOSTLER_BAD_CONFIG);
  EXPECT_NE(host.failure.find("a.csv:1: no column is named 'c'; there are: a, b"), std::string::npos) << host.failure;
}

}  // namespace
}  // namespace abi_test
