#include "edge/yaml_parser.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "core/config_place.h"
#include "core/plain_text.h"

namespace hostler {
namespace {

constexpr std::size_t kMostNodes = 2'000'000;
constexpr std::size_t kMostBytes = std::size_t{64} << 20U;
constexpr std::size_t kMostOpen = 500;  // lists and maps within each other: yaml-cpp's own limit is one less
constexpr std::string_view kTooDeep = "lists and maps are nested too deeply";
constexpr std::size_t kManyKeys = 32;  // from here on a set is faster than looking at each

Mark mark_of(const YAML::Mark &mark) {
  return mark.is_null() ? Mark{} : Mark{mark.line + 1, mark.column + 1};
}

// Leaves the parser from within an event.
struct Refusal {
  Mark mark;
  std::string what;
  std::string hint;
};

// Takes yaml-cpp's events and builds the tree; aliases are copied in, within bounds.
class TreeBuilder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark &mark) override {
    if (documents_++ > 0)
      throw Refusal{mark_of(mark), "a second document begins here", "write one, without another --- line"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = mark_of(mark);
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refusal{mark_of(mark), "an alias stands within what it names", ""};
    count_all(found->second, mark_of(mark));
    add(found->second, YAML::NullAnchor);
  }
  void OnScalar(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                const std::string &value) override {
    Node node;
    node.kind = Node::Kind::Scalar;
    node.mark = mark_of(mark);
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!node.quoted) expect_tag(tag, "", mark);
    if (value.find('\0') != std::string::npos) throw Refusal{node.mark, "the text holds a NUL", "leave it out"};
    node.text = value;
    last_scalar_ = node.mark;
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    expect_tag(tag, "tag:yaml.org,2002:seq", mark);
    open(Node::Kind::List, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    expect_tag(tag, "tag:yaml.org,2002:map", mark);
    open(Node::Kind::Map, mark, anchor);
  }
  void OnMapEnd() override {
    merge(open_.back().node);
    close();
  }

  [[nodiscard]] Node take_root() { return std::move(root_); }
  [[nodiscard]] std::optional<Mark> last_scalar() const { return last_scalar_; }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::unordered_set<std::string> keys;  // of a map with many
  };

  static void expect_tag(const std::string &tag, std::string_view usual, const YAML::Mark &mark) {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != usual)
      throw Refusal{mark_of(mark), "the tag " + in_quotes(tag) + " is not supported", "leave it out"};
  }

  void count(const Node &node, const Mark &mark) {
    bytes_ += node.text.size();
    if (++nodes_ > kMostNodes || bytes_ > kMostBytes)
      throw Refusal{
          mark,
          fmt::format("the file, with its aliases, holds more than {} values or {} MiB", kMostNodes, kMostBytes >> 20U),
          "a long list of items belongs into a file of its own: input: {items_file: …}"};
  }

  // A copy of a whole tree is about to be made.
  void count_all(const Node &node, const Mark &mark) {
    count(node, mark);
    for (const Node &child : node.children) count_all(child, mark);
  }

  void open(Node::Kind kind, const YAML::Mark &mark, YAML::anchor_t anchor) {
    Open next;
    next.node.kind = kind;
    next.node.mark = mark_of(mark);
    next.anchor = anchor;
    open_.push_back(std::move(next));
  }

  void close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    add(std::move(closed.node), closed.anchor);
  }

  void add(Node node, YAML::anchor_t anchor) {
    count(node, node.mark);
    if (anchor != YAML::NullAnchor) {
      count_all(node, node.mark);
      anchors_.insert_or_assign(anchor, node);
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open &parent = open_.back();
    if (parent.node.kind == Node::Kind::Map) {
      if (parent.node.children.size() % 2 == 0)
        check_key(parent, node);
      else if (node.kind == Node::Kind::Null)
        node.mark = parent.node.children.back().mark;
    }
    parent.node.children.push_back(std::move(node));
  }

  static const Node *find_key(const Node &map, std::string_view key) {
    for (std::size_t i = 0; i < map.children.size(); i += 2)
      if (map.children[i].text == key) return &map.children[i];
    return nullptr;
  }

  static void check_key(Open &parent, const Node &key) {
    if (key.kind != Node::Kind::Scalar) throw Refusal{key.mark, "a key must be a text", "write KEY: VALUE"};
    const std::vector<Node> &children = parent.node.children;
    bool twice = false;
    if (children.size() < 2 * kManyKeys) {
      twice = find_key(parent.node, key.text) != nullptr;
    } else {
      if (parent.keys.empty())
        for (std::size_t i = 0; i < children.size(); i += 2) parent.keys.insert(children[i].text);
      twice = !parent.keys.insert(key.text).second;
    }
    if (twice)
      throw Refusal{key.mark,
                    fmt::format("the key {} is given twice, first in line {}", in_quotes(key.text),
                                find_key(parent.node, key.text)->mark.line),
                    "leave one out"};
  }

  // <<: *base, or <<: [*a, *b]: what the map does not say itself, the first that says it.
  static void merge(Node &map) {
    constexpr std::string_view kMerge = "<<";
    const Node *key = find_key(map, kMerge);
    if (key == nullptr || key->quoted) return;
    const auto at = key - map.children.data();
    const Node value = std::move(map.children[static_cast<std::size_t>(at) + 1]);
    map.children.erase(map.children.begin() + at, map.children.begin() + at + 2);
    const std::vector<Node> one{value};
    std::unordered_set<std::string> known;
    for (std::size_t i = 0; i < map.children.size(); i += 2) known.insert(map.children[i].text);
    for (const Node &base : value.kind == Node::Kind::List ? value.children : one) {
      if (base.kind != Node::Kind::Map)
        throw Refusal{base.mark, "<< takes a map", "write <<: *NAME of an anchored map"};
      for (std::size_t i = 0; i < base.children.size(); i += 2) {
        if (!known.insert(base.children[i].text).second) continue;
        map.children.push_back(base.children[i]);
        map.children.push_back(base.children[i + 1]);
      }
    }
  }

  Node root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  int documents_ = 0;
  std::optional<Mark> last_scalar_;
};

std::optional<Refusal> check_text(std::string_view text) {
  Mark mark;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = utf8_length(text.substr(i));
    if (size == 0)
      return Refusal{mark, fmt::format("the byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(text[i])),
                     "save the file as UTF-8"};
    if (text[i] == '\0') return Refusal{mark, "the file holds a NUL byte", "is it a text file?"};
    mark = text[i] == '\n' ? Mark{mark.line + 1, 1} : Mark{mark.line, mark.column + static_cast<int>(size)};
    i += size;
  }
  return std::nullopt;
}

// Does a quote that is never closed begin there? yaml-cpp takes the end of the file for its end.
bool is_open_quote(std::string_view text, const Mark &mark) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int line = 1; line < mark.line; ++line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  text.remove_prefix(std::min(static_cast<std::size_t>(mark.column - 1), text.size()));
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return false;
  const char quote = text[0];
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool escapes = quote == '"' ? text[i] == '\\' : text.substr(i).starts_with("''");
    if (escapes)
      ++i;
    else if (text[i] == quote)
      return false;
  }
  return true;
}

// The tab that indents a line, which is what yaml-cpp stumbled over there.
std::optional<Mark> indenting_tab(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  const std::size_t n = text.find_first_not_of(' ');
  if (n == std::string_view::npos || text[n] != '\t') return std::nullopt;
  return Mark{line, static_cast<int>(n) + 1};
}

Refusal translate(const YAML::Exception &error, std::string_view text) {
  const Mark mark = mark_of(error.mark);
  if (dynamic_cast<const YAML::DeepRecursion *>(&error) != nullptr) return {mark, std::string(kTooDeep), ""};
  if (const auto tab = indenting_tab(text, mark.line))
    return {*tab, "a tab indents this line", "YAML is indented with spaces"};
  return {mark, "not valid YAML: " + error.msg, ""};
}

tl::expected<Node, Refusal> build_tree(const std::string &text) {
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) continue;
    if (const auto last = builder.last_scalar(); last && is_open_quote(text, *last))
      return tl::unexpected(Refusal{*last, "the quote that begins here is never closed", ""});
    return builder.take_root();
  } catch (Refusal &refusal) {
    return tl::unexpected(std::move(refusal));
  } catch (const YAML::Exception &error) {
    return tl::unexpected(translate(error, text));
  }
}

// yaml-cpp reads a [list] or {map} to its end before it begins with it: with millions of brackets that is gigabytes. So
// where there are too many, the text up to there is looked at first. They may stand in quotes: then it tells nothing.
std::optional<Refusal> check_depth(const std::string &text) {
  std::size_t open = 0;
  Mark mark;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == '[' || text[i] == '{') && ++open > kMostOpen) {
      const auto beginning = build_tree(text.substr(0, i));
      if (!beginning && beginning.error().what == kTooDeep) return Refusal{mark, std::string(kTooDeep), ""};
      return std::nullopt;
    }
    if ((text[i] == ']' || text[i] == '}') && open > 0) --open;
    mark = text[i] == '\n' ? Mark{mark.line + 1, 1} : Mark{mark.line, mark.column + 1};
  }
  return std::nullopt;
}

}  // namespace

Result<Node> parse_yaml(const std::string &file, const std::string &text) {
  const auto refuse = [&](Refusal refusal) {
    return fail(fmt::format("{}:{}:{}", file, refusal.mark.line, refusal.mark.column), std::move(refusal.what),
                std::move(refusal.hint));
  };
  if (auto refusal = check_text(text)) return refuse(std::move(*refusal));
  if (auto refusal = check_depth(text)) return refuse(std::move(*refusal));
  auto tree = build_tree(text);
  if (!tree) return refuse(std::move(tree.error()));
  return std::move(*tree);
}

}  // namespace hostler
