#include "edge/preparer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "edge/temp_dir.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

class Preparer : public testing::Test {
 protected:
  Preparer() : store_(dir_.path("store"), HOSTLER_BINARY) {
    fs::create_directory(dir_.path("data"));
    write_file(dir_.path("data/b"), "four");
    write_file(dir_.path("data/a"), "twelve bytes");
  }

  EntryConfig entry(const std::string &name, InputConfig input = {}) {
    EntryConfig config;
    config.where = "workers.yaml:2:5: workers[0]";
    config.plugin_where = "workers.yaml:2:13: workers[0].plugin";
    config.input_where = "workers.yaml:3:12: workers[0].input";
    config.name = name;
    config.plugin = HOSTLER_PLUGINS "/tick.so";
    config.count = 2;
    config.input = std::move(input);
    config.output_where = "workers.yaml:4:13: workers[0].output";
    config.output = dir_.path("deep/er/" + name);
    return config;
  }
  InputConfig files(InputKind kind, const std::string &pattern) {
    InputConfig input;
    input.kind = kind;
    input.patterns = {dir_.path(pattern)};
    return input;
  }
  Result<Prepared> prepare_one(EntryConfig config) { return prepare(Config{"", {}, {std::move(config)}}, store_); }
  void expect_refused(EntryConfig config, const std::string &where, const std::string &what) {
    const auto prepared = prepare_one(std::move(config));
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().where, "workers.yaml:" + where);
    EXPECT_NE(prepared.error().what.find(what), std::string::npos) << prepared.error().what;
  }

  TempDir dir_;
  PluginStore store_;
};

TEST_F(Preparer, KeepsTheOrderAndGivesEachEntryItsBuild) {
  EntryConfig other = entry("other");
  other.plugin = HOSTLER_PLUGINS "/wordcount.so";
  const auto prepared = prepare(Config{"", {}, {entry("first"), other, entry("last")}}, store_);
  ASSERT_TRUE(prepared) << prepared.error().text();
  ASSERT_EQ(prepared->entries.size(), 3U);
  EXPECT_EQ(prepared->entries[0].config.name, "first");
  EXPECT_EQ(prepared->entries[2].config.name, "last");
  EXPECT_EQ(prepared->entries[0].build, prepared->entries[2].build);
  EXPECT_NE(prepared->entries[0].build.hash, prepared->entries[1].build.hash);
  EXPECT_TRUE(fs::exists(prepared->entries[1].build.library));
  EXPECT_EQ(prepared->entries[0].manifest.kind(), InputKind::None);
}

TEST_F(Preparer, ListsFilesInOrder) {
  const auto prepared = prepare_one(entry("job", files(InputKind::Lines, "data/*")));
  ASSERT_TRUE(prepared) << prepared.error().text();
  const Manifest &manifest = prepared->entries[0].manifest;
  ASSERT_EQ(manifest.inputs().size(), 2U);
  EXPECT_EQ(manifest.inputs()[0].path, dir_.path("data/a"));
  EXPECT_EQ(manifest.positions(), 16);
  EXPECT_EQ(manifest.slice_count(), 2);
}

TEST_F(Preparer, KnowsRecordsRangesAndItems) {
  InputConfig records = files(InputKind::Records, "data/*");
  records.record_size = 4;
  records.slice = 5;
  const auto first = prepare_one(entry("records", records));
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(first->entries[0].manifest.unit(), 4);
  EXPECT_EQ(first->entries[0].manifest.slice_count(), 4);

  InputConfig range;
  range.kind = InputKind::Range;
  range.begin = 100;
  range.end = 1100;
  const auto second = prepare_one(entry("range", range));
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(second->entries[0].manifest.positions(), 1000);
  EXPECT_EQ(second->entries[0].manifest.slice_at(0).begin, 100);

  InputConfig items;
  items.kind = InputKind::Items;
  items.items = std::vector<std::string>{"a", "b", "c"};
  const auto third = prepare_one(entry("items", items));
  ASSERT_TRUE(third) << third.error().text();
  EXPECT_EQ(third->entries[0].manifest.items(), items.items.all());
  EXPECT_EQ(third->entries[0].manifest.slice_count(), 3);
}

TEST_F(Preparer, RefusesWhatIsNoPluginByTheEntrysPlace) {
  EntryConfig config = entry("bad");
  config.plugin = dir_.path("data/a");
  expect_refused(config, "2:13: workers[0].plugin", "data/a");
}

TEST_F(Preparer, RefusesInputsThatAreNotThere) {
  expect_refused(entry("job", files(InputKind::Lines, "data/*.txt")), "3:12: workers[0].input", "no file matches");
  expect_refused(entry("job", files(InputKind::File, "data/c")), "3:12: workers[0].input", "No such file");
}

TEST_F(Preparer, RefusesPartsOfRecords) {
  InputConfig records = files(InputKind::Records, "data/*");
  records.record_size = 5;
  expect_refused(entry("records", records), "3:12: workers[0].input.records",
                 "12 bytes, which is no whole number of records of 5");
}

TEST_F(Preparer, RefusesAnInputInTheJobsOwnOutput) {
  EntryConfig config = entry("job", files(InputKind::Lines, "**/a"));
  config.output = dir_.path("data");
  expect_refused(config, "3:12: workers[0].input", "lies in the output of the same job");
}

TEST_F(Preparer, RefusesAnOutputThatIsNoFolderOrCannotBeMade) {
  EntryConfig config = entry("job", files(InputKind::Lines, "data/a"));
  const std::string where = "4:13: workers[0].output";
  config.output = dir_.path("data/b");
  expect_refused(config, where, "data/b\" is no folder");
  config.output = dir_.path("data/b/out");
  expect_refused(config, where, "data/b/out\" cannot be made: ");
  ::symlink(dir_.path("gone").c_str(), dir_.path("link").c_str());
  config.output = dir_.path("link");
  expect_refused(config, where, "link\" is no folder");
}

TEST_F(Preparer, RefusesAnOutputThatHoldsForeignFilesAlone) {
  EntryConfig config = entry("job", files(InputKind::Lines, "data/a"));
  config.output = dir_.path("mine");
  fs::create_directory(config.output);
  EXPECT_TRUE(prepare_one(config));
  write_file(config.output + "/thesis", "x");
  expect_refused(config, "4:13: workers[0].output", "mine\" holds \"thesis\", which is of no job");
  EXPECT_EQ(read_file(config.output + "/thesis"), "x");
  // With something that may be ours beside it, the ledger is asked when the job begins.
  for (const char *ours : {".attempts", "parts", "manifest.json"}) {
    fs::create_directory(config.output + "/" + ours);
    EXPECT_TRUE(prepare_one(config)) << ours;
    fs::remove(config.output + "/" + ours);
  }
}

TEST_F(Preparer, RefusesAnOutputThatCannotBeWritten) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  EntryConfig config = entry("job", files(InputKind::Lines, "data/a"));
  config.output = dir_.path("locked");
  fs::create_directory(config.output);
  fs::permissions(config.output, fs::perms::owner_read | fs::perms::owner_exec);
  expect_refused(config, "4:13: workers[0].output", "cannot be written to");
  config.output += "/out";
  expect_refused(config, "4:13: workers[0].output", "cannot be made in");
}

TEST_F(Preparer, RefusesMoreThanCanBeCounted) {
  InputConfig range;
  range.kind = InputKind::Range;
  range.end = INT64_MAX;
  expect_refused(entry("range", range), "3:12: workers[0].input", "larger than can be counted");
}

}  // namespace
}  // namespace hostler
