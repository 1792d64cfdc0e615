// What core/plain_yaml reads, it reads as the library does; what it does not read, nobody notices.
#include "core/plain_yaml.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "edge/yaml_parser.h"
#include "fakes/whole_plain.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

std::string shown(const Node &node, int depth = 0) {
  std::string text = std::string(static_cast<std::size_t>(depth), ' ') + std::to_string(static_cast<int>(node.kind)) +
                     (node.quoted ? "q" : "") + " " + std::to_string(node.mark.line) + ":" +
                     std::to_string(node.mark.column) + " " + node.text + "\n";
  for (const Node &child : node.children) text += shown(child, depth + 1);
  return text;
}

// True: it was plain, and the same.
bool agrees(const std::string &text) {
  const auto plain = parse_plain_yaml(text);
  if (!plain) return false;
  const auto full = parse_yaml("f.yaml", text);
  EXPECT_TRUE(full) << full.error().text() << "\n" << text;
  if (full) {
    EXPECT_EQ(shown(*plain), shown(*full)) << text;
  }
  return full.has_value();
}

std::vector<std::string> files_in(const std::string &folder) {
  std::vector<std::string> texts;
  for (const auto &file : fs::recursive_directory_iterator(HOSTLER_SOURCE_DIR + ("/" + folder))) {
    std::ifstream stream(file.path());
    if (file.is_regular_file())
      texts.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return texts;
}

const std::string kUsual =
    "# A file as people write it.\n"
    "host: {plugins: /usr/lib/plugins, umask: 027}\n"
    "\n"
    "workers:\n"
    "  - name: tick\n"
    "    plugin: tick.so\n"
    "    count: 4\n"
    "    restart: {delay: 0s, limit: 10, within: 1.5s}\n"
    "    # where it goes\n"
    "    params:\n"
    "      interval: 86400\n"
    "      words: a b, c (d)\n"
    "      empty:\n"
    "      nested: [1, -2, {a: b, c: []}]\n"
    "    depends_on: [other]\n"
    "  - plugin: other.so\n"
    "    env: {}\n"
    "    on_exit:\n"
    "      - {codes: [3, 4], do: fail_entry}\n"
    "      - signals: [SEGV]\n"
    "        do: restart\n"
    "    list:\n"
    "      - one\n"
    "      - 2\n";

TEST(PlainYaml, ReadsWhatPeopleWrite) {
  EXPECT_TRUE(agrees(kUsual));
  EXPECT_TRUE(agrees("a: b"));
  EXPECT_TRUE(agrees("a: b/*.c*, d * e\n"));
  EXPECT_TRUE(agrees("a:\n"));
  EXPECT_TRUE(agrees("a:\n  b:\n    c:\nd: e\n"));
}

TEST(PlainYaml, CutsAListIntoItsItems) {
  const std::string text =
      "a: b\n"
      "workers:\n"
      "# of the head\n"
      "\n"
      "  - one\n"
      "# of one\n"
      "\n"
      "  - two: 2\n"
      "    list:\n"
      "      - a\n"
      "c: d\n";
  EXPECT_TRUE(agrees(text));
  const auto document = cut_plain_yaml(text, "workers");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->items.size(), 2U);
  EXPECT_EQ(document->items[0].text, "  - one\n# of one\n\n");
  EXPECT_EQ(document->items[0].line, 5);
  EXPECT_EQ(document->items[1].text, "  - two: 2\n    list:\n      - a\n");
  EXPECT_EQ(document->items[1].line, 8);
  EXPECT_EQ(document->root.children.size(), 6U);
  // Of another list nothing is cut.
  EXPECT_TRUE(cut_plain_yaml("workers: {}\n", "workers")->items.empty());
  EXPECT_FALSE(cut_plain_yaml(text, "others")->root.children[3].children.empty());
}

TEST(PlainYaml, CutsNothingThatIndentationDoesNotTell) {
  for (const char *text :
       {"workers:\n- a\n", "workers:\n  - a\n - b\n", "workers:\n  - a\n  b: c\n", "workers:\n  - a\nb\n",
        "workers:\n  - a\n- b\n", "workers:\n  - a\nworkers:\n  - b\n", "a:\nworkers:\n  - a\n b: c\n",
        "workers: \n  - a\n", "workers:\n  -\n", "workers:\n  - a\n   - b\n", "workers:\r\n  - a\r\n"})
    EXPECT_FALSE(parse_plain_yaml(text)) << text;
  EXPECT_TRUE(agrees("workers:\n  - a"));
  EXPECT_TRUE(agrees("b:\n  workers:\n    - a\nworkers:\n    - c\n    - d\n"));
}

TEST(PlainYaml, LeavesToTheLibraryWhatIsNotPlain) {
  for (const char *text : {"",
                           "a",
                           "- a",
                           "a: \"b\"",
                           "a: 'b'",
                           "a: &x b",
                           "a: *x",
                           "a: !t b",
                           "a: |\n  b\n",
                           "a: >\n  b\n",
                           "a: b\n  c\n",
                           "a: null",
                           "a: ~",
                           "a: b # c",
                           "a:b",
                           "a: b: c",
                           "a: b\na: c",
                           "a:\n- b\n",
                           "a:\tb",
                           "a: gr\xc3\xbcn",
                           "---\na: b\n",
                           "a: b\n...\n",
                           "a: [b\n  ]\n",
                           "a: [b",
                           "a: [b,]",
                           "a: {b}",
                           "a: {b: }",
                           "a: b\n b: c\n",
                           " a: b\n",
                           "? a\n: b\n",
                           "a: -\n",
                           "a: b \n",
                           "<<: {a: b}",
                           "a:\n  - b\n c: d\n",
                           "a:\n  - b: c\n    - d\n",
                           "a: {b: c} d",
                           "a: %b"})
    EXPECT_FALSE(parse_plain_yaml(text)) << text;
}

TEST(PlainYaml, NothingTooDeepOrTooLongIsPlain) {
  std::string deep = "a: ";
  for (int i = 0; i < 100; ++i) deep = "a: [" + deep.substr(3) + "]";
  EXPECT_FALSE(parse_plain_yaml(deep));
  EXPECT_FALSE(parse_plain_yaml("a: " + std::string(std::size_t{4} << 20U, 'b')));
}

TEST(PlainYaml, AgreesOnEveryFileThatThereIs) {
  int plain = 0;
  for (const char *folder : {"config", "tests/configs", "tests/fuzz/corpus/config"})
    for (const std::string &text : files_in(folder)) plain += agrees(text) ? 1 : 0;
  EXPECT_GT(plain, 100);
}

// Bytes and lines changed at random in a file that is plain.
TEST(PlainYaml, AgreesOnRandomEdits) {
  constexpr std::string_view kBytes = " \n-:#{}[],ab19/&*!|>'\"%~.?@`\t\\<=";
  std::mt19937 random(1);
  const auto below = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most - 1)(random); };
  int plain = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = kUsual;
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      const std::size_t line = text.rfind('\n', at) == std::string::npos ? 0 : text.rfind('\n', at) + 1;
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      switch (below(6)) {
        case 0: text[at] = kBytes[below(kBytes.size())]; break;
        case 1: text.insert(at, 1, kBytes[below(kBytes.size())]); break;
        case 2: text.erase(at, 1 + below(3)); break;
        case 3: text.insert(line, below(5), ' '); break;
        case 4: text.insert(line, text.substr(line, end - line)); break;
        default: text.erase(line, end - line); break;
      }
      if (text.empty()) break;
    }
    plain += agrees(text) ? 1 : 0;
    if (HasFailure()) break;
  }
  EXPECT_GT(plain, 1000);
}

}  // namespace
}  // namespace hostler
