#include "edge/config_yaml.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/config_builder.h"
#include "edge/temp_dir.h"
#include "edge/yaml_parser.h"
#include "fakes/any_machine.h"

namespace hostler {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// A folder that the files in tests/configs find their plugins, data and includes in.
class ConfigYaml : public testing::Test {
 protected:
  ConfigYaml() {
    for (const char *name : {"plugins/folder.so", "data", "parts", "other"}) fs::create_directories(dir.path(name));
    for (const char *name : {"tick.so", "wordcount.so", "lib.v2.so", "exec.so"})
      write_file(dir.path("plugins/") + name, "x");
    write_file(dir.path("data/one.txt"), "one\ntwo\n");
    write_file(dir.path("data/nul.txt"), std::string("a\nb\0c\n", 6));
    write_file(dir.path("parts/with_host.yaml"), "host: {}\nworkers: []\n");
    write_file(dir.path("parts/with_include.yaml"), "include: x\nworkers: []\n");
    write_file(dir.path("parts/empty.yaml"), "");
    write_file(dir.path("parts/bad_entry.yaml"), "workers:\n  - plugin: tick.so\n    cuont: 3\n");
    write_file(dir.path("parts/tick.yaml"), "workers:\n  - plugin: tick.so\n");
    fs::create_directory_symlink("data", dir.path("link_to_data"));
  }

  Result<Config> read(const std::string &text, const std::string &name = "workers.yaml") {
    write_file(dir.path(name), text);
    return read_config(dir.path(name), machine);
  }
  // The only entry of a file that has `body` below its plugin.
  EntryConfig entry(const std::string &body) {
    auto config = read("workers:\n  - plugin: tick.so\n" + body);
    EXPECT_TRUE(config) << config.error().text();
    return config && config->entries.size() == 1 ? config->entries[0] : EntryConfig{};
  }

  TempDir dir;
  AnyMachine machine;
};

TEST_F(ConfigYaml, TheSmallestFileHasEveryDefault) {
  const auto config = read("workers:\n  - plugin: tick.so\n");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->file, dir.path("workers.yaml"));
  EXPECT_EQ(config->host.plugins, dir.path("plugins"));
  EXPECT_EQ(config->host.state, dir.path("state"));
  EXPECT_EQ(config->host.umask, 027U);
  ASSERT_EQ(config->entries.size(), 1U);
  const EntryConfig &entry = config->entries[0];
  EXPECT_EQ(entry.where, dir.path("workers.yaml") + ":2:5: workers[0]");
  EXPECT_EQ(entry.name, "tick");
  EXPECT_EQ(entry.plugin, dir.path("plugins/tick.so"));
  EXPECT_EQ(entry.count, 1);
  EXPECT_EQ(entry.cwd, dir.path());
  EXPECT_FALSE(entry.is_job());
  EXPECT_EQ(entry.output, "");
  EXPECT_EQ(entry.restart, RestartConfig{});
  EXPECT_EQ(entry.stop, StopConfig{});
  EXPECT_TRUE(entry.on_exit.empty());
  EXPECT_FALSE(entry.time_limit);
  EXPECT_FALSE(entry.watchdog);
}

TEST_F(ConfigYaml, AJobHasAnOutputAndAWorkerForEachProcessor) {
  const EntryConfig job = entry("    input: {lines: \"data/*.txt\"}\n");
  EXPECT_EQ(job.input.kind, InputKind::Lines);
  EXPECT_EQ(job.input.patterns, std::vector<std::string>{dir.path("data/*.txt")});
  EXPECT_EQ(job.input.slice, 0);
  EXPECT_EQ(job.output, dir.path("state/output/tick"));
  EXPECT_GE(job.count, 1);
  EXPECT_EQ(entry("    count: auto\n").count, job.count);
}

TEST_F(ConfigYaml, EveryKeyIsRead) {
  const EntryConfig job = entry(
      "    name: words\n    sha256: ABCDEF" + std::string(58, '0') +
      "\n    count: 4\n    cwd: data\n"
      "    input: {lines: [\"a/*.txt\", /b/c], slice: 16MiB}\n    output: ../out/\n"
      "    params: {top: 20}\n    env: {TZ: UTC, N: 5}\n"
      "    restart: {delay: 200ms, max_delay: 1m, factor: 1.5, jitter: 0, reset_after: 2m, limit: 3, within: 5m}\n"
      "    on_exit: [{codes: 3, signals: [SEGV, 6], do: done}, {codes: [0, 255], do: fail_entry}]\n"
      "    time_limit: 10m\n    watchdog: 30s\n"
      "    attempts: 7\n    max_failed: 3%\n    max_temporary: 9\n    on_change: resume\n"
      "    stop: {drain: 1s, signal: INT, grace: 2s}\n    depends_on: []\n");
  EXPECT_EQ(job.name, "words");
  EXPECT_EQ(job.sha256, "abcdef" + std::string(58, '0'));
  EXPECT_EQ(job.count, 4);
  EXPECT_EQ(job.cwd, dir.path("data"));
  EXPECT_EQ(job.input.patterns, (std::vector<std::string>{dir.path("a/*.txt"), "/b/c"}));
  EXPECT_EQ(job.input.slice, 16 << 20);
  EXPECT_EQ(job.output, fs::path(dir.path()).parent_path().string() + "/out");
  EXPECT_EQ(job.params.at("top"), "20");
  EXPECT_EQ(job.env, (std::map<std::string, std::string>{{"N", "5"}, {"TZ", "UTC"}}));
  EXPECT_EQ(job.restart, (RestartConfig{200ms, 1min, 1.5, 0, 2min, 3, 5min}));
  EXPECT_EQ(job.on_exit, (std::vector<ExitRule>{{{3}, {SIGSEGV, SIGABRT}, ExitAction::Done},
                                                {{0, 255}, {}, ExitAction::FailEntry}}));
  EXPECT_EQ(job.time_limit, 10min);
  EXPECT_EQ(job.watchdog, 30s);
  EXPECT_EQ(job.attempts, 7);
  EXPECT_EQ(job.max_failed, (Tolerance{0, 3}));
  EXPECT_EQ(job.max_temporary, 9);
  EXPECT_EQ(job.on_change, OnChange::Resume);
  EXPECT_EQ(job.stop, (StopConfig{1s, 2, 2s}));
}

TEST_F(ConfigYaml, LimitsAreReadAsFarAsTheMachineCanEnforceThem) {
  const std::string text = "    limits: {memory: 2GiB, open_files: 1024, cpu: 1.5, processes: 64, core: 0}\n";
  const Limits limits = entry(text).limits;
  EXPECT_EQ(limits, (Limits{1024, 0, -1, -1, true, std::int64_t{2} << 30, 64, 150'000}));
  EXPECT_EQ(entry("").limits, Limits{});
  machine.can.group_cpu = false;
  machine.can.no_groups = "no cgroup v2 is mounted";
  const auto refused = read("workers:\n  - plugin: tick.so\n" + text);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where, dir.path("workers.yaml") + ":3:51: workers[0].limits.cpu");
  EXPECT_EQ(
      refused.error().what,
      "this machine cannot enforce \"1.5\": processor time is held by a cgroup only, and no cgroup v2 is mounted");
}

TEST_F(ConfigYaml, AUserIsReadWithItsNumbersAndGroups) {
  machine.users["web"] = {"web", 1000, 1001, {4, 1001}, "/home/web"};
  EXPECT_EQ(entry("    user: web\n").user, machine.users["web"]);
  EXPECT_FALSE(entry("").user);
  machine.can.root = false;
  const auto refused = read("workers:\n  - plugin: tick.so\n    user: web\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().where, dir.path("workers.yaml") + ":3:11: workers[0].user");
  EXPECT_EQ(refused.error().what,
            "workers cannot run as \"web\": only a host that is root may run them as somebody else");
}

TEST_F(ConfigYaml, EveryKindOfInputIsRead) {
  const auto input = [&](const std::string &text) { return entry("    input: " + text + "\n").input; };
  const InputConfig records = input("{slice: 1KiB, records: {files: data/one.txt, size: 128}}");
  EXPECT_EQ(records.kind, InputKind::Records);
  EXPECT_EQ(records.record_size, 128);
  EXPECT_EQ(records.slice, 1024);
  EXPECT_EQ(input("{files: [data/one.txt]}").kind, InputKind::File);
  const InputConfig range = input("{range: {begin: 5, end: 9223372036854775807}, slice: 7}");
  EXPECT_EQ(range.kind, InputKind::Range);
  EXPECT_EQ(range.begin, 5);
  EXPECT_EQ(range.end, INT64_MAX);
  EXPECT_EQ(range.slice, 7);
  EXPECT_EQ(input("{range: {end: 0}}").end, 0);
  EXPECT_EQ(input("{items: [a, 1, \"\", true]}").items.all(), (std::vector<std::string>{"a", "1", "", "true"}));
  const InputConfig file = input("{items_file: data/one.txt}");
  EXPECT_EQ(file.kind, InputKind::Items);
  EXPECT_EQ(file.items.all(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(file.items_file, dir.path("data/one.txt"));
}

TEST_F(ConfigYaml, LinesOfAnItemsFileLoseTheirNewlineAndNothingElse) {
  write_file(dir.path("list.txt"), " a \r\n\nb");
  EXPECT_EQ(entry("    input: {items_file: list.txt}\n").input.items.all(),
            (std::vector<std::string>{" a \r", "", "b"}));
}

TEST_F(ConfigYaml, TheStateFolderIsKnownWithoutALookAtTheEntries) {
  const auto state = [&](const std::string &text) {
    write_file(dir.path("workers.yaml"), text);
    return read_state_folder(dir.path("workers.yaml"));
  };
  EXPECT_EQ(state("workers:\n  - plugin: none.so\n"), dir.path("state"));
  EXPECT_EQ(state("workers:\n  - plugni: none.so\n    input: {items_file: none}\nhost: {state: there}\n"),
            dir.path("there"));
  EXPECT_EQ(state("host: {state: /other}\nworkers: &a [{plugin: none.so}]\n"), "/other");
  const auto broken = state("host: {state: there}\nworkers: [\n");
  ASSERT_FALSE(broken);
  EXPECT_TRUE(broken.error().where.starts_with(dir.path("workers.yaml:")));
  EXPECT_FALSE(state("host: {sate: there}\nworkers: []\n"));
}

TEST_F(ConfigYaml, ParametersAreTextOrJson) {
  const EntryConfig config = entry(
      "    params:\n"
      "      text: hello\n      quoted: \"5\"\n      yes: yes\n      empty: \"\"\n      hex: 0x1F\n"
      "      list: [1, -2.50, 1e3, .5, 5., +7, 0x1F, 0o17, 007, .inf, \"8\", true, False, null, ~, yes, \"true\", '']\n"
      "      escapes: [\"q\\\" b\\\\ n\\n t\\t e\\e \\u00fc\"]\n"
      "      map: {a: {b: [c]}, \"d\\n\": }\n"
      "      none: []\n      script: |\n        line\n        \ttabbed\n");
  const auto &params = config.params;
  EXPECT_EQ(params.at("text"), "hello");
  EXPECT_EQ(params.at("quoted"), "5");
  EXPECT_EQ(params.at("yes"), "yes");
  EXPECT_EQ(params.at("empty"), "");
  EXPECT_EQ(params.at("hex"), "0x1F");
  EXPECT_EQ(params.at("list"), R"([1,-2.50,1e3,0.5,5,7,31,15,"007",".inf","8",true,false,null,null,"yes","true",""])");
  EXPECT_EQ(params.at("escapes"), R"(["q\" b\\ n\n t\t e\u001b ü"])");
  EXPECT_EQ(params.at("map"), R"({"a":{"b":["c"]},"d\n":null})");
  EXPECT_EQ(params.at("none"), "[]");
  EXPECT_EQ(params.at("script"), "line\n\ttabbed\n");
  for (const char *key : {"list", "escapes", "map", "none"})
    EXPECT_TRUE(nlohmann::json::accept(params.at(key))) << params.at(key);
}

TEST_F(ConfigYaml, WildcardsInTheNameOfTheFolderAreNoWildcards) {
  fs::create_directories(dir.path("a[b]*/plugins"));
  write_file(dir.path("a[b]*/plugins/tick.so"), "x");
  const auto config = read("workers: [{plugin: tick.so, input: {files: \"*.txt\"}}]\n", "a[b]*/workers.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->entries[0].input.patterns[0], dir.path() + "/a\\[b]\\*/*.txt");
}

TEST_F(ConfigYaml, IncludedEntriesStandWhereTheyAreIncluded) {
  write_file(dir.path("other/b.yaml"), "workers: [{name: b, plugin: tick.so, input: {lines: x}}]\n");
  write_file(dir.path("other/a.yaml"), "workers:\n  - {name: a, plugin: tick.so, depends_on: [last]}\n");
  const auto config =
      read("include: other/*.yaml\nworkers: [{name: last, plugin: tick.so}]\nhost: {plugins: plugins}\n");
  ASSERT_TRUE(config) << config.error().text();
  ASSERT_EQ(config->entries.size(), 3U);
  EXPECT_EQ(config->entries[0].name, "a");
  EXPECT_EQ(config->entries[0].where, dir.path("other/a.yaml") + ":2:5: workers[0]");
  EXPECT_EQ(config->entries[0].cwd, dir.path("other"));
  EXPECT_EQ(config->entries[1].input.patterns[0], dir.path("other/x"));
  EXPECT_EQ(config->entries[1].output, dir.path("state/output/b"));
  EXPECT_EQ(config->entries[2].name, "last");
}

TEST_F(ConfigYaml, APatternMayIncludeNothingAndAFileIsIncludedOnce) {
  EXPECT_TRUE(read("include: parts/none*.yaml\nworkers: []\n"));
  const auto config = read("include: [parts/tick.yaml, \"parts/t*.yaml\"]\n");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->entries.size(), 1U);
}

TEST_F(ConfigYaml, AliasesAndMergeKeysShareSettings) {
  const auto config = read(
      "workers:\n"
      "  - &base {name: a, plugin: tick.so, stop: &stop {drain: 1s}, env: {A: b}}\n"
      "  - {<<: *base, name: b, stop: *stop}\n"
      "  - {plugin: wordcount.so, <<: [{name: c}, *base], env: {}}\n");
  ASSERT_TRUE(config) << config.error().text();
  ASSERT_EQ(config->entries.size(), 3U);
  EXPECT_EQ(config->entries[1].name, "b");
  EXPECT_EQ(config->entries[1].stop.drain, 1s);
  EXPECT_EQ(config->entries[1].env.at("A"), "b");
  EXPECT_EQ(config->entries[2].name, "c");
  EXPECT_EQ(config->entries[2].plugin, dir.path("plugins/wordcount.so"));
  EXPECT_TRUE(config->entries[2].env.empty());
}

TEST_F(ConfigYaml, ByteOrderMarkAndCarriageReturnsAreFine) {
  EXPECT_TRUE(read("\xef\xbb\xbfworkers:\r\n  - plugin: tick.so\r\n    count: 2\r\n"));
  EXPECT_EQ(read("\xef\xbb\xbfworkers:\r\n- x: 1\r\n").error().where, dir.path("workers.yaml") + ":2:3: workers[0].x");
}

TEST_F(ConfigYaml, QuotesThatAreClosedAreFine) {
  for (const char *last : {"'it''s'", "\"a \\\" b\"", "\"two\n      lines\"", "''", "a'b\"", "\"\\\\\""}) {
    EXPECT_TRUE(read(std::string("workers:\n  - plugin: tick.so\n    params:\n      x: ") + last + "\n")) << last;
    EXPECT_TRUE(read(std::string("\xef\xbb\xbfworkers: [{plugin: tick.so, params: {x: ") + last + "\n}}]")) << last;
  }
}

TEST_F(ConfigYaml, AFileThatCannotBeReadIsNamed) {
  EXPECT_EQ(
      read_config(dir.path("no.yaml")).error().text(),
      dir.path("no.yaml") + ": cannot be opened: No such file or directory (name your configuration with -c FILE)");
  EXPECT_EQ(read_config(dir.path("data")).error().what, "is a folder");
  EXPECT_FALSE(read_config(dir.path("no/workers.yaml")));
  EXPECT_FALSE(read_config(dir.path("data/")));
  EXPECT_FALSE(read_config(""));
  EXPECT_EQ(read(std::string((16 << 20) + 1, '#')).error().what, "is larger than 16 MiB");
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// It took seconds, and gigabytes.
TEST_F(ConfigYaml, MillionsOfOpenBracketsAreRefusedLikeHundreds) {
  for (const char *open : {"[", "{a: ", "[{", "- ["}) {
    const auto many = read("workers: " + repeated(open, 3'000'000));
    ASSERT_FALSE(many) << open;
    EXPECT_EQ(many.error().text(), read("workers: " + repeated(open, 501)).error().text());
  }
  EXPECT_EQ(read(repeated("[", 1'000'000)).error().text(),
            dir.path("workers.yaml:1:501: lists and maps are nested too deeply"));
}

TEST_F(ConfigYaml, ManyBracketsThatOpenNothingAreFine) {
  const std::string many = repeated("[{", 1000);
  EXPECT_EQ(entry("    params:\n      p: |\n        " + many + "\n").params.at("p"), many + "\n");
  EXPECT_EQ(entry("    params: {p: \"" + many + "\"}\n").params.at("p"), many);
  EXPECT_EQ(entry("    params: {p: '" + many + "'}\n").params.at("p"), many);
  EXPECT_EQ(entry("    # " + many + "\n    count: 2\n").count, 2);
  EXPECT_EQ(entry("    params: {p: [" + repeated("[],", 1000) + "]}\n").params.at("p").size(), 3001U);
}

TEST_F(ConfigYaml, ManyValuesAreRefusedAndNotRead) {
  std::string text = "workers: [{plugin: tick.so, input: {items: [";
  for (int i = 0; i < 2'000'100; ++i) text += "a,";
  const auto config = read(text + "]}}]\n");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().text().find("items_file"), std::string::npos);
}

TEST_F(ConfigYaml, ALongCircleIsCutInTheMessage) {
  std::string text = "workers:\n";
  for (int i = 0; i < 3000; ++i)
    text += fmt::format("  - {{name: w{}, plugin: tick.so, depends_on: w{}}}\n", i, (i + 1) % 3000);
  const auto config = read(text);
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().what.find("w0 → w1 → "), std::string::npos) << config.error().what;
  EXPECT_LT(config.error().what.size(), 200U);
}

TEST_F(ConfigYaml, ManyEntriesAreReadInOrder) {
  std::string text = "workers:\n";
  for (int i = 0; i < 5000; ++i)
    text += fmt::format("  - {{name: w{}, plugin: tick.so, count: 2, input: {{lines: \"data/*.txt\"}}}}\n", i);
  const auto config = read(text);
  ASSERT_TRUE(config) << config.error().text();
  ASSERT_EQ(config->entries.size(), 5000U);
  EXPECT_EQ(config->entries[4999].name, "w4999");
}

TEST_F(ConfigYaml, TheReferenceIsReadAndNamesEveryKeyAndNoOther) {
  const std::string reference = read_file(HOSTLER_SOURCE_DIR "/config/reference.yaml");
  fs::create_directories(dir.path("workers.d"));
  write_file(dir.path("list.txt"), "a\n");
  const auto config = read(reference);
  ASSERT_TRUE(config) << config.error().text();

  const auto document = parse_yaml("reference.yaml", reference);
  std::set<std::string> found;
  const auto collect = [&](const auto &self, const Node &node, const std::string &path) -> void {
    if (path == "workers[].params" || path == "workers[].env") return;
    for (std::size_t i = 0; node.kind == Node::Kind::Map && i < node.children.size(); i += 2) {
      const std::string inner = fmt::format("{}{}{}", path, path.empty() ? "" : ".", node.children[i].text);
      found.insert(inner);
      self(self, node.children[i + 1], inner);
    }
    for (std::size_t i = 0; node.kind == Node::Kind::List && i < node.children.size(); ++i)
      self(self, node.children[i], path + "[]");
  };
  collect(collect, *document, "");
  const std::vector<std::string> keys = supported_keys();
  EXPECT_EQ(found, std::set<std::string>(keys.begin(), keys.end()));
}

TEST_F(ConfigYaml, TheSchemaHasEveryKeyAndNoOther) {
  const auto schema = nlohmann::json::parse(read_file(HOSTLER_SOURCE_DIR "/config/workers.schema.json"));
  std::set<std::string> found;
  const auto collect = [&](const auto &self, const nlohmann::json &node, const std::string &path) -> void {
    if (node.contains("properties")) {
      EXPECT_EQ(node.value("additionalProperties", true), false) << path;
      for (const auto &[key, value] : node["properties"].items()) {
        const std::string inner = fmt::format("{}{}{}", path, path.empty() ? "" : ".", key);
        found.insert(inner);
        self(self, value, inner);
      }
    }
    if (node.contains("items")) self(self, node["items"], path + "[]");
  };
  collect(collect, schema, "");
  const std::vector<std::string> keys = supported_keys();
  EXPECT_EQ(found, std::set<std::string>(keys.begin(), keys.end()));
}

// tests/configs/bad: NAME.yaml, and in NAME.expected what its error must hold, a line each.
class BadConfig : public ConfigYaml, public testing::WithParamInterface<std::string> {};

TEST_P(BadConfig, IsRefusedWithPlaceReasonAndAdvice) {
  const std::string folder = HOSTLER_SOURCE_DIR "/tests/configs/bad/";
  const auto config = read(read_file(folder + GetParam() + ".yaml"), GetParam() + ".yaml");
  ASSERT_FALSE(config);
  const std::string text = config.error().text();
  EXPECT_TRUE(config.error().where.starts_with(dir.path() + "/")) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  std::istringstream expected(read_file(folder + GetParam() + ".expected"));
  int lines = 0;
  for (std::string line; std::getline(expected, line); ++lines) EXPECT_NE(text.find(line), std::string::npos) << text;
  EXPECT_GT(lines, 0);
}

std::vector<std::string> bad_configs() {
  std::vector<std::string> names;
  for (const auto &file : fs::directory_iterator(HOSTLER_SOURCE_DIR "/tests/configs/bad"))
    if (file.path().extension() == ".yaml") names.push_back(file.path().stem());
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, BadConfig, testing::ValuesIn(bad_configs()),
                         [](const auto &info) { return info.param; });

}  // namespace
}  // namespace hostler
