// A configuration that is read with a memory of the last time is what it would be without.
#include "core/entry_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "edge/config_yaml.h"
#include "edge/temp_dir.h"
#include "fakes/any_machine.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

auto fields(const InputConfig &input) {
  const auto &[kind, patterns, slice, record_size, begin, end, items, items_file] = input;
  return std::tuple(kind, patterns, slice, record_size, begin, end, items.all(), items_file);
}

auto fields(const EntryConfig &entry) {
  const auto &[where, plugin_where, input_where, output_where, name, plugin, sha256, count, cwd, input, output, params,
               env, on_exit, restart, attempts, max_failed, max_skipped, max_temporary, max_bisect, split, on_change,
               time_limit, watchdog, stop, recycle, limits, user, depends_on] = entry;
  return std::tuple(std::tuple(where, plugin_where, input_where, output_where, name, plugin, sha256, count, cwd),
                    fields(input), output, params, env, on_exit, restart, attempts, max_failed, max_skipped,
                    max_temporary, max_bisect, split, on_change, time_limit, watchdog, stop, recycle, limits, user,
                    depends_on);
}

void expect_same(const Result<Config> &with, const Result<Config> &without) {
  ASSERT_EQ(with.has_value(), without.has_value()) << (with ? without.error().text() : with.error().text());
  if (!with) {
    EXPECT_EQ(with.error().text(), without.error().text());
    return;
  }
  EXPECT_EQ(with->file, without->file);
  EXPECT_EQ(with->host.plugins, without->host.plugins);
  EXPECT_EQ(with->host.state, without->host.state);
  ASSERT_EQ(with->entries.size(), without->entries.size());
  for (std::size_t i = 0; i < with->entries.size(); ++i)
    EXPECT_TRUE(fields(with->entries[i]) == fields(without->entries[i]))
        << with->entries[i].where << " and " << without->entries[i].where;
}

const std::string kMain =
    "host: {umask: 027}\n"
    "workers:\n"
    "  - name: one\n"
    "    plugin: tick.so\n"
    "    count: 2\n"
    "  # a comment\n"
    "  - name: two\n"
    "    plugin: tick.so\n"
    "    cwd: folder\n"
    "    depends_on: [one]\n"
    "\n"
    "  - name: three\n"
    "    plugin: other.so\n"
    "    input: {items_file: items.txt}\n"
    "    output: out\n"
    "  - name: four\n"
    "    plugin: other.so\n"
    "    input: {lines: data}\n"
    "    split: off\n"
    "  - plugin: tick.so\n"
    "    user: nobody\n"
    "  - name: six\n"
    "    plugin: tick.so\n"
    "    limits: {open_files: 100}\n"
    "    params: {a: 1, b: [2, 3]}\n"
    "include: parts/*.yaml\n";
const std::string kPart =
    "workers:\n"
    "  - name: seven\n"
    "    plugin: tick.so\n"
    "    cwd: .\n"
    "  - name: eight\n"
    "    plugin: tick.so\n"
    "    depends_on: seven\n";
const std::string kOtherPart = "workers:\n  - name: nine\n    plugin: tick.so\n    cwd: .\n";

class EntryMemoryTest : public testing::Test {
 protected:
  EntryMemoryTest() {
    for (const char *name : {"plugins", "other", "folder", "parts"}) fs::create_directories(dir.path(name));
    mend();
  }

  // All is as it should be.
  void mend() {
    write("workers.yaml", kMain);
    write("parts/a.yaml", kPart);
    write("parts/b.yaml", kOtherPart);
    for (const char *name : {"plugins/tick.so", "plugins/other.so", "other/tick.so", "items.txt", "data"})
      write_file(dir.path(name), "x\n");
    fs::create_directories(dir.path("folder"));
    machine = std::make_unique<AnyMachine>();
  }
  void write(const std::string &name, const std::string &text) {
    if (std::exchange(texts[name], text) != text) write_file(dir.path(name), text);
  }
  // What an entry of the text would be taken from when it is read now.
  [[nodiscard]] std::vector<bool> is_known(const std::string &name) const {
    std::vector<bool> known;
    const auto document = cut_plain_yaml(texts.at(name), "workers");
    for (const PlainItem &item : document->items) known.push_back(memory.at(dir.path(name)).knows(item.text));
    return known;
  }
  bool agrees() {
    const auto with = read_config(dir.path("workers.yaml"), *machine, &memory);
    const auto without = read_config(dir.path("workers.yaml"), *machine);
    expect_same(with, without);
    return without.has_value();
  }
  std::size_t below(std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most - 1)(random); }

  void edit_lines();
  void change_outside();

  TempDir dir;
  std::unique_ptr<AnyMachine> machine;
  EntryMemory memory;
  std::map<std::string, std::string> texts;
  std::mt19937 random{1};
};

TEST_F(EntryMemoryTest, KnowsEntriesThatAskForNothingButPluginsAndFolders) {
  ASSERT_TRUE(agrees());
  EXPECT_EQ(is_known("workers.yaml"), (std::vector<bool>{true, true, false, true, false, false}));
  EXPECT_EQ(is_known("parts/a.yaml"), (std::vector<bool>{true, true}));
}

TEST_F(EntryMemoryTest, KnowsAnEntryThatHasMoved) {
  ASSERT_TRUE(agrees());
  std::string text = texts["workers.yaml"];
  text.replace(text.find("count: 2"), 8, "count: 3\n    env: {A: b}");
  write("workers.yaml", text);
  EXPECT_EQ(is_known("workers.yaml"), (std::vector<bool>{false, true, false, true, false, false}));
  ASSERT_TRUE(agrees());
  EXPECT_EQ(is_known("workers.yaml"), (std::vector<bool>{true, true, false, true, false, false}));
  // And it is told where it is by now.
  write("workers.yaml", text.replace(text.find("name: two"), 9, "name: one"));
  EXPECT_FALSE(agrees());
  write("workers.yaml", "# one more line\n" + text);
  EXPECT_FALSE(agrees());
}

TEST_F(EntryMemoryTest, KeepsWhatItKnowsWhenTheFileIsWrong) {
  ASSERT_TRUE(agrees());
  write("workers.yaml", kMain + "workers: []\n");
  ASSERT_FALSE(agrees());
  write("workers.yaml", kMain);
  EXPECT_TRUE(is_known("workers.yaml")[0]);
  EXPECT_TRUE(agrees());
}

TEST_F(EntryMemoryTest, LooksAgainAtWhatAnEntryNames) {
  ASSERT_TRUE(agrees());
  fs::remove(dir.path("plugins/tick.so"));
  EXPECT_FALSE(agrees());
  mend();
  ASSERT_TRUE(agrees());
  fs::remove(dir.path("folder"));
  EXPECT_FALSE(agrees());
  mend();
  ASSERT_TRUE(agrees());
  write_file(dir.path("items.txt"), "one\nmore\n");
  EXPECT_TRUE(agrees());
  machine->users.clear();
  EXPECT_FALSE(agrees());
  machine->users["nobody"] = {"nobody", 7, 7, {7}, "/"};
  EXPECT_TRUE(agrees());
  machine->can.most_open_files = 10;
  EXPECT_FALSE(agrees());
}

TEST_F(EntryMemoryTest, ReadsAnEntryAnewWhenTheHostHasOtherFolders) {
  ASSERT_TRUE(agrees());
  std::string text = kMain;
  text.replace(text.find("umask: 027"), 10, "plugins: other");
  write("workers.yaml", text);
  EXPECT_FALSE(agrees()) << "other.so is not there";
  write_file(dir.path("other/other.so"), "x");
  EXPECT_TRUE(agrees());
  text.replace(text.find("plugins: other"), 14, "state: st, plugins: other");
  write("workers.yaml", text);
  EXPECT_TRUE(agrees());
}

// A line, or a whole entry, of one of the files.
void EntryMemoryTest::edit_lines() {
  static const std::vector<std::string> pool{"  - name: new\n    plugin: tick.so\n",
                                             "  - plugin: other.so\n",
                                             "    count: 3\n",
                                             "    cuont: 3\n",
                                             "    name: one\n",
                                             "    depends_on: [two, nine]\n",
                                             "    depends_on: [nobody]\n",
                                             "    input: {range: {begin: 0, end: 5}}\n",
                                             "    output: out\n",
                                             "    cwd: folder\n",
                                             "    plugin: none.so\n",
                                             "    params: &p {a: b}\n",
                                             "    params: *p\n",
                                             "    <<: {count: 2}\n",
                                             "    env: {A: 'quoted'}\n",
                                             "    env:\n      A: |\n        - b\n  - c\n",
                                             "# a comment\n",
                                             "    # gr\xc3\xbcn\n",
                                             "    count: 4  # why\n",
                                             "\n",
                                             "  \n",
                                             "host: {plugins: other}\n",
                                             "host: {state: elsewhere}\n",
                                             "workers:\n",
                                             "include: parts/a.yaml\n",
                                             "\t\n",
                                             "    \tcount: 1\n",
                                             "...\n",
                                             "---\n"};
  auto file = std::next(texts.begin(), static_cast<std::ptrdiff_t>(below(texts.size())));
  std::vector<std::string> lines;
  for (std::string_view rest = file->second; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  if (lines.empty()) lines.emplace_back("\n");
  const auto at = lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size()));
  const auto other = lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size()));
  // The lines of an entry that one of them is of.
  const auto is_first = [](const std::string &line) { return line.starts_with("  - "); };
  const auto last = std::find_if(at + 1, lines.end(), is_first);
  const auto first = std::find_if(std::make_reverse_iterator(at + 1), lines.rend(), is_first).base();
  const auto begin = first == lines.begin() ? at : first - 1;
  const std::vector<std::string> entry(begin, last);
  switch (below(9)) {
    case 0: lines.insert(at, pool[below(pool.size())]); break;
    case 1: *at = pool[below(pool.size())]; break;
    case 2: lines.erase(at); break;
    case 3: std::swap(*at, *other); break;
    case 4: lines.insert(at, *at); break;
    case 5: lines.insert(at, "\n"); break;
    case 6: lines.erase(begin, last); break;
    case 7: lines.insert(last, entry.begin(), entry.end()); break;
    default: std::rotate(lines.begin(), begin, last); break;
  }
  std::string text = fmt::format("{}", fmt::join(lines, ""));
  if (below(40) == 0)
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') text.insert(i++, 1, '\r');
  if (below(20) == 0 && !text.empty()) text.pop_back();
  write(file->first, text);
}

void EntryMemoryTest::change_outside() {
  switch (below(6)) {
    case 0: fs::remove(dir.path("plugins/tick.so")); break;
    case 1: fs::remove(dir.path("folder")); break;
    case 2: write_file(dir.path("items.txt"), fmt::format("{}\n", below(100))); break;
    case 3: machine->users["nobody"].uid = static_cast<std::uint32_t>(below(100)); break;
    case 4: machine->can.most_open_files = static_cast<std::int64_t>(below(200)); break;
    default: write_file(dir.path("items.txt"), "again\n"); break;
  }
}

TEST_F(EntryMemoryTest, AgreesWithAWholeReadingOnRandomEdits) {
#ifdef HOSTLER_SANITIZED
  constexpr unsigned kRounds = 600;  // each takes eight times as long
#else
  constexpr unsigned kRounds = 1500;
#endif
  std::size_t good = 0;
  std::size_t wrong = 0;
  for (unsigned round = 0; round < kRounds && !HasFailure(); ++round) {
    const auto before = texts;
    below(10) == 0 ? change_outside() : edit_lines();
    const bool is_good = agrees();
    ++(is_good ? good : wrong);
    if (HasFailure())
      for (const auto &[name, text] : texts) ADD_FAILURE() << name << " in round " << round << ":\n" << text;
    // A mistake is mended most of the time, or edits are made on top of it.
    if (below(50) == 0 || (!is_good && below(5) == 0)) mend();
    if (!is_good && below(6) != 0)
      for (const auto &[name, text] : before) write(name, text);
  }
  EXPECT_GT(good, kRounds * 2 / 15);
  EXPECT_GT(wrong, kRounds * 2 / 15);
}

}  // namespace
}  // namespace hostler
