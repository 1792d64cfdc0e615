// plugin.hpp against a host made by hand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <functional>
#include <hostler/plugin.hpp>
#include <random>
#include <ranges>

#include "fake_host.h"

namespace abi_test {
namespace {

static_assert(std::ranges::input_range<hostler::Lines>);
static_assert(std::ranges::input_range<hostler::Numbers>);
static_assert(std::ranges::input_range<hostler::Items>);
static_assert(std::ranges::input_range<hostler::Records<int>>);
static_assert(std::ranges::input_range<hostler::Ranges>);

struct Line {
  int64_t offset;
  std::string text;
  bool operator==(const Line &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Line &line) {
  return out << line.offset << ":" << line.text;
}

/// What the lines of a file are, said as plainly as possible.
std::vector<Line> lines_of(const std::string &content) {
  std::vector<Line> lines;
  size_t start = 0;
  while (start < content.size()) {
    const size_t end = std::min(content.find('\n', start), content.size());
    lines.push_back({static_cast<int64_t>(start), content.substr(start, end - start)});
    start = end + 1;
  }
  return lines;
}

using Random = std::mt19937;

int64_t pick(Random &random, int64_t from, int64_t to) {
  return std::uniform_int_distribution<int64_t>(from, to)(random);
}

/// Any bytes, with many newlines, CRLFs, empty lines and NULs among them; mostly without a final newline.
std::string random_text(Random &random, int64_t longest) {
  static constexpr char kAlphabet[] = {'\n', '\n', '\r', '\0', 'a', 'b', ' ', '\xff'};
  const int64_t newline_every = pick(random, 1, 400);
  std::string text;
  for (int64_t left = pick(random, 0, longest); left > 0; left--) {
    text += pick(random, 0, newline_every) == 0 ? '\n' : kAlphabet[pick(random, 0, std::size(kAlphabet) - 1)];
  }
  return text;
}

/// Borders of slices, from 0 to size; some slices have one byte.
std::vector<int64_t> random_cut(Random &random, int64_t size) {
  std::vector<int64_t> borders{0};
  const int64_t largest = pick(random, 1, size + 1);
  while (borders.back() < size) {
    const int64_t step = pick(random, 0, 3) == 0 ? 1 : pick(random, 1, largest);
    borders.push_back(std::min(size, borders.back() + step));
  }
  return borders;
}

/// Calls `visit` with a host for each slice of the file between two borders.
void for_each_slice(const std::string &path, const std::vector<int64_t> &borders,
                    const std::function<void(FakeHost &)> &visit) {
  for (size_t i = 0; i + 1 < borders.size(); i++) {
    FakeHost host;
    host.set_file(HOSTLER_LINES, path, borders[i], borders[i + 1]);
    visit(host);
  }
}

void append_lines(FakeHost &host, std::vector<Line> &lines) {
  hostler::Slice slice(host.slice());
  std::vector<std::string_view> views;
  for (std::string_view line : slice.lines()) views.push_back(line);
  ASSERT_EQ(views.size(), host.positions.size());
  for (size_t i = 0; i < views.size(); i++) lines.push_back({host.positions[i], std::string(views[i])});
}

TEST(Lines, AreEachInExactlyOneSliceForAnyCut) {
  const TempDir dir;
  for (unsigned seed = 0; seed < 300; seed++) {
    Random random(seed);
    const std::string content = random_text(random, seed % 3 == 0 ? 40 : 3000);
    const std::string path = dir.write("text", content);
    std::vector<Line> seen;
    for_each_slice(path, random_cut(random, static_cast<int64_t>(content.size())), [&](FakeHost &host) {
      append_lines(host, seen);
      EXPECT_EQ(host.claimed(), host.slice()->end) << "the claims do not cover the slice";
    });
    ASSERT_EQ(seen, lines_of(content)) << "seed " << seed;
  }
}

TEST(Lines, OfOneByteSlicesAreEachSeenOnce) {
  const TempDir dir;
  const std::string content("\n\nab\r\n\0c\n\nlast", 14);
  std::vector<int64_t> borders;
  for (int64_t i = 0; i <= static_cast<int64_t>(content.size()); i++) borders.push_back(i);
  std::vector<Line> seen;
  for_each_slice(dir.write("text", content), borders, [&](FakeHost &host) { append_lines(host, seen); });
  EXPECT_EQ(seen, lines_of(content));
}

TEST(Lines, MayBeFarLongerThanTheirSlice) {
  const TempDir dir;
  const std::string content = "short\n" + std::string(300'000, 'x') + "\nmiddle\n" + std::string(200'000, 'y');
  const std::string path = dir.write("text", content);
  for (int64_t step : {1000, 65'536, 150'000}) {
    std::vector<int64_t> borders;
    for (int64_t at = 0; at < static_cast<int64_t>(content.size()); at += step) borders.push_back(at);
    borders.push_back(static_cast<int64_t>(content.size()));
    std::vector<Line> seen;
    std::string bytes;
    for_each_slice(path, borders, [&](FakeHost &host) {
      append_lines(host, seen);
      EXPECT_EQ(host.claimed(), host.slice()->end);
    });
    EXPECT_EQ(seen, lines_of(content)) << "slices of " << step;
    for_each_slice(path, borders, [&](FakeHost &host) { bytes += hostler::Slice(host.slice()).bytes(); });
    EXPECT_EQ(bytes, content) << "slices of " << step;
  }
}

TEST(Lines, InBytesAreTheWholeFileWhenSlicesAreJoined) {
  const TempDir dir;
  for (unsigned seed = 0; seed < 200; seed++) {
    Random random(seed);
    const std::string content = random_text(random, 500);
    const std::string path = dir.write("text", content);
    std::string joined;
    for_each_slice(path, random_cut(random, static_cast<int64_t>(content.size())), [&](FakeHost &host) {
      joined += hostler::Slice(host.slice()).bytes();
      EXPECT_EQ(host.claimed(), host.slice()->end);
    });
    ASSERT_EQ(joined, content) << "seed " << seed;
  }
}

TEST(Lines, GrantedByASplitAreDisjointFromTheRest) {
  const TempDir dir;
  for (unsigned seed = 0; seed < 200; seed++) {
    Random random(seed);
    const std::string content = random_text(random, 2000) + "z";
    const auto size = static_cast<int64_t>(content.size());
    const std::string path = dir.write("text", content);
    FakeHost first;
    first.set_file(HOSTLER_LINES, path, 0, size);
    first.grant_end = pick(random, 0, size);
    std::vector<Line> seen;
    append_lines(first, seen);
    FakeHost second;
    second.set_file(HOSTLER_LINES, path, first.grant_end, size);
    append_lines(second, seen);
    ASSERT_EQ(seen, lines_of(content)) << "seed " << seed;
  }
}

TEST(Lines, StartAtTheLineThatTheCheckpointNames) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "one\ntwo\nthree\n"), 0, 14);
  host.slice()->resume = 4;
  std::vector<Line> seen;
  append_lines(host, seen);
  EXPECT_EQ(seen, (std::vector<Line>{{4, "two"}, {8, "three"}}));
}

// Those of one block are granted together, and a line may go on behind what is granted.
TEST(Lines, GoOnBehindEachOfThemAfterACheckpointThere) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 200; ++i) text += std::string(static_cast<size_t>(i % 7), 'x') + std::to_string(i) + "\n";
  const std::string path = dir.write("text", text);
  const auto size = static_cast<int64_t>(text.size());
  for (size_t stop_after = 1; stop_after <= 200; stop_after += 3) {
    FakeHost host;
    host.set_file(HOSTLER_LINES, path, 0, size);
    host.offer_checkpoints();
    std::vector<std::string> seen;
    {
      hostler::Slice slice(host.slice());
      for (const std::string_view line : slice.lines()) {
        seen.emplace_back(line);
        if (seen.size() < stop_after) continue;
        ASSERT_TRUE(slice.checkpoint(slice.span_of(line).end, "state"));
        break;
      }
    }
    ASSERT_EQ(host.checkpoints.size(), 1U);
    ASSERT_LE(host.checkpoints[0].first, host.claimed());
    FakeHost next;
    next.set_file(HOSTLER_LINES, path, 0, size);
    next.slice()->resume = host.checkpoints[0].first;
    hostler::Slice slice(next.slice());
    for (const std::string_view line : slice.lines()) seen.emplace_back(line);
    std::string all;
    for (const std::string &line : seen) all += line + "\n";
    ASSERT_EQ(all, text) << stop_after;
  }
}

TEST(Lines, StayValidAfterTheLoop) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "a\nlongest\nb\n"), 0, 12);
  hostler::Slice slice(host.slice());
  std::string_view longest;
  for (std::string_view line : slice.lines()) longest = line.size() > longest.size() ? line : longest;
  EXPECT_EQ(longest, "longest");
}

TEST(Lines, OfASecondPassAreTheSameAndClaimNothingTwice) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "a\nb\n"), 0, 4);
  hostler::Slice slice(host.slice());
  std::string seen;
  for (int pass = 0; pass < 2; pass++) {
    for (std::string_view line : slice.lines()) seen += line;
  }
  EXPECT_EQ(seen, "abab");
  EXPECT_EQ(host.claimed(), 4);
}

TEST(Lines, AreClaimedInBlocksThatGrow) {
  const TempDir dir;
  std::string content;
  for (int i = 0; i < 100'000; i++) content += "some line\n";
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", content), 0, static_cast<int64_t>(content.size()));
  std::vector<Line> seen;
  append_lines(host, seen);
  EXPECT_EQ(seen.size(), 100'000U);
  EXPECT_LT(host.claims.size(), 10'000U);
}

TEST(Lines, EndWhenTheHostCancels) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "one\ntwo\nthree\n"), 0, 14);
  host.stop_at_claim = 1;
  std::vector<Line> seen;
  append_lines(host, seen);
  EXPECT_EQ(seen, (std::vector<Line>{{0, "one"}}));
  EXPECT_EQ(host.claims.size(), 2U) << "a refused claim is not repeated";
}

TEST(Lines, OfAWholeFileSliceWorkToo) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_FILE, dir.write("text", "a\nb"), 0, 3);
  std::vector<Line> seen;
  append_lines(host, seen);
  EXPECT_EQ(seen, (std::vector<Line>{{0, "a"}, {2, "b"}}));
}

TEST(Lines, OfAnEmptyFileAreNone) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_FILE, dir.write("text", ""), 0, 0);
  std::vector<Line> seen;
  append_lines(host, seen);
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(hostler::Slice(host.slice()).bytes(), "");
}

TEST(Lines, RefuseAFileThatBecameShorter) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "abc"), 0, 10);
  hostler::Slice slice(host.slice());
  EXPECT_THROW(slice.lines(), hostler::Verdict);
}

struct Pair {
  int32_t left;
  int32_t right;
};

std::string pairs(int count) {
  std::string bytes;
  for (int32_t i = 0; i < count; i++) {
    const Pair pair{i, i * 10};
    bytes.append(reinterpret_cast<const char *>(&pair), sizeof pair);
  }
  return bytes;
}

TEST(Records, AreCopiesMarkedWithTheirOffset) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_RECORDS, dir.write("pairs", pairs(100)), 80, 160, sizeof(Pair));
  hostler::Slice slice(host.slice());
  int32_t expected = 10;
  for (const Pair &pair : slice.records<Pair>()) {
    EXPECT_EQ(pair.left, expected);
    EXPECT_EQ(pair.right, expected * 10);
    EXPECT_EQ(host.positions.back(), expected * int64_t{sizeof(Pair)});
    expected++;
  }
  EXPECT_EQ(expected, 20);
  EXPECT_EQ(host.claimed(), 160);
}

TEST(Records, ComeAsBytesWithoutAType) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_RECORDS, dir.write("records", "aabbcc"), 2, 6, 2);
  hostler::Slice slice(host.slice());
  std::vector<std::string> seen;
  for (std::string_view record : slice.records()) seen.emplace_back(record);
  EXPECT_EQ(seen, (std::vector<std::string>{"bb", "cc"}));
}

TEST(Records, OfAnotherSizeThanThePluginsEndTheEntry) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_RECORDS, dir.write("records", "aabbcc"), 0, 6, 2);
  hostler::Slice slice(host.slice());
  try {
    slice.records<Pair>();
    FAIL() << "records of 2 bytes were read as a Pair";
  } catch (const hostler::Verdict &verdict) {
    EXPECT_EQ(verdict.code(), HOSTLER_BAD_CONFIG);
    EXPECT_STREQ(verdict.what(), "records of 2 bytes are configured, the plugin's have 8");
  }
}

TEST(Numbers, AreClaimedOneByOne) {
  FakeHost host;
  host.set_range(HOSTLER_RANGE, 5, 9);
  hostler::Slice slice(host.slice());
  std::vector<int64_t> seen;
  for (int64_t number : slice.numbers()) seen.push_back(number);
  EXPECT_EQ(seen, (std::vector<int64_t>{5, 6, 7, 8}));
  EXPECT_EQ(host.claims, (std::vector<std::pair<int64_t, int64_t>>{{5, 6}, {6, 7}, {7, 8}, {8, 9}}));
}

TEST(Numbers, ReachTheLargestPosition) {
  FakeHost host;
  host.set_range(HOSTLER_RANGE, INT64_MAX - 2, INT64_MAX);
  hostler::Slice slice(host.slice());
  int64_t count = 0;
  for ([[maybe_unused]] int64_t number : slice.numbers()) count++;
  EXPECT_EQ(count, 2);
}

TEST(Numbers, EndWhereTheGrantEnds) {
  FakeHost host;
  host.set_range(HOSTLER_RANGE, 0, 10);
  host.grant_end = 3;
  hostler::Slice slice(host.slice());
  int64_t count = 0;
  for ([[maybe_unused]] int64_t number : slice.numbers()) count++;
  EXPECT_EQ(count, 3);
}

TEST(Items, StartAtResume) {
  FakeHost host;
  host.set_items({"a", "b", "c"}, 7);
  host.slice()->resume = 8;
  hostler::Slice slice(host.slice());
  std::vector<std::string> seen;
  auto items = slice.items();
  for (auto it = items.begin(); it != items.end(); ++it)
    seen.push_back(std::to_string(it.position()) + std::string(*it));
  EXPECT_EQ(seen, (std::vector<std::string>{"8b", "9c"}));
}

TEST(Params, HaveTypesAndDefaults) {
  FakeHost host;
  host.params = {{"count", "-3"}, {"ratio", "0.25"}, {"deep", "true"}, {"name", "x y"}};
  hostler::Slice slice(host.slice());
  EXPECT_EQ(slice.param<int>("count", 1), -3);
  EXPECT_EQ(slice.param("count", int64_t{1}), -3);
  EXPECT_EQ(slice.param<int>("missing", 42), 42);
  EXPECT_EQ(slice.param("ratio", 1.0), 0.25);
  EXPECT_TRUE(slice.param("deep", false));
  EXPECT_EQ(slice.param("name", "none"), "x y");
  EXPECT_EQ(slice.param("missing", "none"), "none");
  EXPECT_EQ(slice.param<std::string>("name", "none"), "x y");
  EXPECT_EQ(slice.param("name"), "x y");
}

/// The verdict and the words with which `call` throws.
std::pair<int, std::string> thrown_by(const std::function<void()> &call) {
  try {
    call();
  } catch (const hostler::Verdict &verdict) {
    return {verdict.code(), verdict.what()};
  }
  return {-1, "nothing was thrown"};
}

TEST(Params, ThatDoNotParseNameKeyAndValue) {
  FakeHost host;
  host.params = {{"top", "20x"}, {"small", "300"}, {"negative", "-1"}, {"flag", "maybe"}, {"empty", ""}};
  const hostler::Slice slice(host.slice());
  EXPECT_EQ(thrown_by([&] { slice.param<int>("top", 1); }),
            std::pair(HOSTLER_BAD_CONFIG, std::string("the parameter 'top' is '20x', expected an integer in range")));
  EXPECT_EQ(thrown_by([&] { slice.param<uint8_t>("small", 1); }).first, HOSTLER_BAD_CONFIG);
  EXPECT_EQ(thrown_by([&] { slice.param<unsigned>("negative", 1); }).first, HOSTLER_BAD_CONFIG);
  EXPECT_EQ(thrown_by([&] { slice.param<int>("empty", 1); }).first, HOSTLER_BAD_CONFIG);
  EXPECT_EQ(thrown_by([&] { slice.param("flag", true); }).second,
            "the parameter 'flag' is 'maybe', expected true or false");
  EXPECT_EQ(thrown_by([&] { slice.param<double>("missing"); }).second, "the parameter 'missing' is missing");
}

/// Runs `function` as HOSTLER_RUN would.
template <class Function>
int run_as_plugin(FakeHost &host, Function function) {
  return hostler::detail::call(host.slice(), function);
}

TEST(Run, IsDoneWhenTheFunctionReturns) {
  FakeHost host;
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &) {}), HOSTLER_DONE);
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &) { return HOSTLER_YIELD; }), HOSTLER_YIELD);
  EXPECT_EQ(host.failure, "");
}

TEST(Run, TurnsAnExceptionIntoItsWordsAndAnError) {
  FakeHost host;
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &) { throw std::runtime_error("no luck"); }), HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "no luck");
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &) { throw 3; }), HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "an exception that is no std::exception");
}

TEST(Run, LetsThePluginsThreadExitThrough) {
  FakeHost host;
  pthread_t thread{};
  ASSERT_EQ(pthread_create(
                &thread, nullptr,
                [](void *of) -> void * {
                  run_as_plugin(*static_cast<FakeHost *>(of), [of](hostler::Slice &) { pthread_exit(of); });
                  return nullptr;
                },
                &host),
            0);
  void *exited_with = nullptr;
  ASSERT_EQ(pthread_join(thread, &exited_with), 0);
  EXPECT_EQ(exited_with, &host);
  EXPECT_EQ(host.failure, "");
}

TEST(Run, TurnsAVerdictIntoItsCode) {
  FakeHost host;
  const int verdict =
      run_as_plugin(host, [](hostler::Slice &) { throw hostler::Verdict(HOSTLER_BAD_DATA, "not a number"); });
  EXPECT_EQ(verdict, HOSTLER_BAD_DATA);
  EXPECT_EQ(host.failure, "not a number");
}

TEST(Run, NamesTheInputThatThePluginNeeds) {
  FakeHost host;
  host.set_range(HOSTLER_RANGE, 0, 3);
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &slice) { slice.lines(); }), HOSTLER_BAD_CONFIG);
  EXPECT_EQ(host.failure, "the plugin's lines() needs an input of lines or files, the entry's is range");
}

TEST(Run, LeavesWhatWasWrittenToOutputs) {
  FakeHost host;
  const std::string large(200'000, 'x');
  const int verdict = run_as_plugin(host, [&](hostler::Slice &slice) {
    slice.output("list").write("one\n");
    slice.output("list").write(large);
    slice.output("list").write("two\n");
    slice.result("ok");
    slice.counter("seen");
    slice.counter("seen", 4);
  });
  EXPECT_EQ(verdict, HOSTLER_DONE);
  EXPECT_EQ(host.output("list"), "one\n" + large + "two\n");
  EXPECT_EQ(host.result, "ok");
  EXPECT_EQ(host.counters["seen"], 5);
}

TEST(Run, FailsWhenTheHostRefusesAResult) {
  FakeHost host;
  const int verdict =
      run_as_plugin(host, [](hostler::Slice &slice) { slice.result(std::string(HOSTLER_MAX_RESULT + 1, 'x')); });
  EXPECT_EQ(verdict, HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "result: Message too long");
}

TEST(Run, FailsWhenAnOutputCannotBeWritten) {
  FakeHost host;
  host.table()->output = [](const hostler_slice_t *, const char *) { return -EACCES; };
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &slice) { slice.output("x"); }), HOSTLER_ERROR);
  EXPECT_EQ(host.failure, "output 'x': Permission denied");
}

TEST(Run, ComesBackLaterWhenTheDiskOfAnOutputIsFull) {
  FakeHost host;
  host.table()->output = [](const hostler_slice_t *, const char *) { return -EDQUOT; };
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &slice) { slice.output("x"); }), HOSTLER_RETRY_LATER);
  host.table()->output = [](const hostler_slice_t *, const char *) {
    return ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  };
  EXPECT_EQ(run_as_plugin(host, [](hostler::Slice &slice) { slice.output("x").write("lost"); }), HOSTLER_RETRY_LATER);
  EXPECT_EQ(host.failure, "output 'x': No space left on device");
}

TEST(Slice, SaysWhereItGoesOnAndWhatWasSaved) {
  FakeHost host;
  host.set_range(HOSTLER_RANGE, 0, 10);
  hostler::Slice fresh(host.slice());
  EXPECT_EQ(fresh.resume(), 0);
  EXPECT_FALSE(fresh.saved());
  host.slice()->resume = 4;
  host.slice()->checkpoint = "state";
  host.slice()->checkpoint_size = 5;
  hostler::Slice resumed(host.slice());
  EXPECT_EQ(resumed.resume(), 4);
  EXPECT_EQ(resumed.saved(), "state");
}

TEST(Slice, MakesNoCheckpointBehindWhatItIsGranted) {
  const TempDir dir;
  FakeHost host;
  host.set_file(HOSTLER_LINES, dir.write("text", "one\ntwo\n"), 0, 8);
  host.offer_checkpoints();
  host.grant_end = 2;
  hostler::Slice slice(host.slice());
  for (const std::string_view line : slice.lines()) EXPECT_FALSE(slice.checkpoint(slice.span_of(line).end));
  EXPECT_TRUE(host.checkpoints.empty());
}

TEST(Run, DoesWithoutTheCallsThatAHostNeedNotOffer) {
  FakeHost host;
  hostler::Slice slice(host.slice());
  EXPECT_FALSE(slice.checkpoint(1));
  EXPECT_FALSE(slice.skip(0, 1, "bad"));
  EXPECT_EQ(slice.extension("hostler.sockets/1"), nullptr);
}

/// Two committed ranges and a quarantined one.
struct FakeResults {
  hostler_results_t table{};
  size_t next = 0;
  bool gave_up = false;
};

hostler_results_t *as_results(FakeResults &fake) {
  fake.table.struct_size = sizeof(fake.table);
  fake.table.next = [](hostler_results_t *results, hostler_range_t *out) {
    static constexpr const char *kFiles[] = {"/out/parts/0-5/list", "/out/parts/0-5/other"};
    auto &self = *reinterpret_cast<FakeResults *>(results);
    if (self.next == 2 || out->struct_size != sizeof(hostler_range_t)) return 0;
    out->begin = static_cast<int64_t>(self.next++) * 5;
    out->end = out->begin + 5;
    if (out->begin == 0) {
      out->result = "first";
      out->result_size = 5;
    } else {
      out->files = kFiles;
      out->file_count = 2;
    }
    return 1;
  };
  fake.table.counter = [](hostler_results_t *, const char *name) {
    return int64_t{name == std::string_view("n") ? 7 : 0};
  };
  fake.table.quarantined = [](hostler_results_t *results, hostler_range_t *out) {
    out->reason = "bad line";
    return std::exchange(reinterpret_cast<FakeResults *>(results)->gave_up, true) ? 0 : 1;
  };
  return &fake.table;
}

TEST(Results, AreWalkedInOrder) {
  FakeResults fake;
  hostler::Results results(as_results(fake));
  std::string seen;
  for (const hostler::Range range : results.committed()) {
    const char *file = range.file("other");
    seen +=
        std::to_string(range->begin) + "[" + std::string(range.result()) + "]" + (file == nullptr ? "-" : file) + " ";
  }
  EXPECT_EQ(seen, "0[first]- 5[]/out/parts/0-5/other ");
  EXPECT_EQ(results.counter("n"), 7);
  for (const hostler::Range range : results.quarantined()) EXPECT_STREQ(range->reason, "bad line");
  EXPECT_TRUE(fake.gave_up);
}

}  // namespace
}  // namespace abi_test
