#include "core/plain_yaml.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace hostler {
namespace {

constexpr std::size_t kLongest = std::size_t{3}
                                 << 20U;  // of a text; within the full parser's bounds, whatever is in it
constexpr std::size_t kMostKeys = 32;     // of a map
constexpr std::size_t kLongestKey = 64;
constexpr std::size_t kDeepest = 32;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_flow_character(char c) {
  return is_letter(c) || is_digit(c) || c == '.' || c == '/' || c == '+' || c == '-';
}
bool is_block_character(char c) {
  return is_flow_character(c) || c == ' ' || c == ',' || c == '@' || c == '(' || c == ')' || c == '*';
}

bool is_null(std::string_view text) {
  return text == "null" || text == "Null" || text == "NULL";
}

// May a plain text begin like this? A minus may be a list's.
bool may_begin(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '-') return text.size() > 1 && is_digit(text[1]);
  return is_flow_character(text[0]);
}

struct Line {
  int number = 0;
  std::size_t indent = 0;
  std::string_view content;  // without the indentation

  [[nodiscard]] Mark mark(std::size_t at = 0) const { return {number, static_cast<int>(indent + at) + 1}; }
  [[nodiscard]] bool is_item() const { return content.starts_with("- "); }
};

constexpr std::size_t kUsualChildren = 8;  // of a map

Node make(Node::Kind kind, const Mark &mark) {
  Node node;
  node.kind = kind;
  node.mark = mark;
  if (kind == Node::Kind::Map) node.children.reserve(kUsualChildren);
  return node;
}

bool is_named(const Node &map, std::string_view key) {
  for (std::size_t i = 0; i < map.children.size(); i += 2)
    if (map.children[i].text == key) return true;
  return false;
}

// What is not plain makes each of its functions return false, and with it all of them.
class PlainParser {
 public:
  bool cut_lines(std::string_view text, int first) {
    for (int number = first; !text.empty(); ++number) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (!std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; })) return false;
      const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
      const std::string_view content = line.substr(indent);
      if (content.empty() || content[0] == '#') continue;
      if (content.back() == ' ') return false;
      lines_.push_back({number, indent, content});
    }
    return true;
  }

  bool document(Node &root) {
    return !lines_.empty() && lines_[0].indent == 0 && block_map(root, 0, 1) && next_ == lines_.size();
  }

  // An item of a list in the outermost map.
  bool only_item(Node &value) {
    constexpr std::size_t kDepth = 3;
    return !lines_.empty() && lines_[0].is_item() && item(value, lines_[0].indent, kDepth) && next_ == lines_.size();
  }

 private:
  [[nodiscard]] const Line *line() const { return next_ < lines_.size() ? &lines_[next_] : nullptr; }
  // What is further in than the value that ends here would go on with it.
  [[nodiscard]] bool ends_at(std::size_t indent) const { return line() == nullptr || line()->indent <= indent; }

  bool block_map(Node &map, std::size_t indent, std::size_t depth) {
    if (depth > kDeepest) return false;
    map = make(Node::Kind::Map, line()->mark());
    while (line() != nullptr && line()->indent == indent && !line()->is_item())
      if (map.children.size() >= 2 * kMostKeys || !member(map, indent, depth)) return false;
    return !map.children.empty() && ends_at(indent);
  }

  bool member(Node &map, std::size_t indent, std::size_t depth) {
    const Line here = *line();
    std::size_t at = 0;
    if (!key(here, at, map)) return false;
    ++next_;
    const Mark mark = map.children.back().mark;
    Node value = make(Node::Kind::Null, mark);
    if (at == here.content.size()) {  // nothing, or it stands below
      if (line() != nullptr && line()->indent == indent && line()->is_item()) return false;
      if (!ends_at(indent) && !below(value, depth + 1)) return false;
    } else if (!inline_value(here, at + 1, value) || !ends_at(indent)) {
      return false;
    }
    map.children.push_back(std::move(value));
    return true;
  }

  bool below(Node &value, std::size_t depth) {
    const std::size_t indent = line()->indent;
    return line()->is_item() ? block_list(value, indent, depth) : block_map(value, indent, depth);
  }

  bool block_list(Node &list, std::size_t indent, std::size_t depth) {
    if (depth > kDeepest) return false;
    list = make(Node::Kind::List, line()->mark());
    while (line() != nullptr && line()->indent == indent && line()->is_item())
      if (!item(list.children.emplace_back(), indent, depth + 1)) return false;
    return ends_at(indent) && !(line() != nullptr && line()->indent == indent);
  }

  // What follows the minus is the first line of a map, or all there is.
  bool item(Node &value, std::size_t indent, std::size_t depth) {
    Line &here = lines_[next_];
    here.indent += 2;
    here.content.remove_prefix(2);
    if (is_member(here.content)) return block_map(value, indent + 2, depth) && ends_at(indent);
    const Line whole = here;
    ++next_;
    return inline_value(whole, 0, value) && ends_at(indent);
  }

  static bool is_member(std::string_view content) {
    const std::size_t colon = content.find(':');
    return colon != std::string_view::npos && is_letter(content[0]);
  }

  // `at` moves behind the colon.
  static bool key(const Line &line, std::size_t &at, Node &map) {
    const std::string_view rest = line.content.substr(at);
    std::size_t size = 0;
    while (size < rest.size() && (is_letter(rest[size]) || is_digit(rest[size]) || rest[size] == '-')) ++size;
    const std::string_view name = rest.substr(0, size);
    if (name.empty() || !is_letter(name[0]) || size > kLongestKey || is_null(name) || is_named(map, name)) return false;
    if (size == rest.size() || rest[size] != ':') return false;
    if (size + 1 < rest.size() && rest[size + 1] != ' ') return false;
    Node node = make(Node::Kind::Scalar, line.mark(at));
    node.text = name;
    map.children.push_back(std::move(node));
    at += size + 1;
    return true;
  }

  static bool inline_value(const Line &line, std::size_t at, Node &value) {
    at = line.content.find_first_not_of(' ', at);
    const char first = line.content[at];
    if (first == '{' || first == '[') return flow(line, at, value, 1) && at == line.content.size();
    return scalar(line, at, line.content.size(), is_block_character, value);
  }

  static bool scalar(const Line &line, std::size_t at, std::size_t end, bool (*is_part)(char), Node &value) {
    const std::string_view text = line.content.substr(at, end - at);
    if (!may_begin(text) || is_null(text) || !std::all_of(text.begin(), text.end(), is_part)) return false;
    value = make(Node::Kind::Scalar, line.mark(at));
    value.text = text;
    return true;
  }

  // {key: value, …} or [value, …]; `at` moves behind it.
  static bool flow(const Line &line, std::size_t &at, Node &value, std::size_t depth) {
    const std::string_view text = line.content;
    const bool is_map = text[at] == '{';
    const char close = is_map ? '}' : ']';
    value = make(is_map ? Node::Kind::Map : Node::Kind::List, line.mark(at));
    if (depth > kDeepest) return false;
    ++at;
    skip_spaces(text, at);
    if (at < text.size() && text[at] == close) return ++at, true;
    while (true) {
      if (is_map && (value.children.size() >= 2 * kMostKeys || !key(line, at, value))) return false;
      skip_spaces(text, at);
      if (!flow_value(line, at, value.children.emplace_back(), depth)) return false;
      skip_spaces(text, at);
      if (at == text.size() || (text[at] != ',' && text[at] != close)) return false;
      if (text[at++] == close) return true;
      skip_spaces(text, at);
    }
  }

  static bool flow_value(const Line &line, std::size_t &at, Node &value, std::size_t depth) {
    const std::string_view text = line.content;
    if (at == text.size()) return false;
    if (text[at] == '{' || text[at] == '[') return flow(line, at, value, depth + 1);
    std::size_t end = at;
    while (end < text.size() && is_flow_character(text[end])) ++end;
    if (!scalar(line, at, end, is_flow_character, value)) return false;
    at = end;
    return true;
  }

  static void skip_spaces(std::string_view text, std::size_t &at) {
    while (at < text.size() && text[at] == ' ') ++at;
  }

  std::vector<Line> lines_;
  std::size_t next_ = 0;
};

// A document without the items of its list.
struct Pieces {
  std::string_view head;
  std::string_view tail;
  int tail_line = 1;
  Mark list;
  std::vector<PlainItem> items;
};

// Goes by indentation alone: what is within a line is left to those who parse the pieces.
class Cutter {
 public:
  Cutter(std::string_view text, std::string_view list) : text_(text), list_(list) { pieces_.head = text; }

  std::optional<Pieces> cut() {
    int number = 1;
    for (std::size_t at = 0; at < text_.size() && state_ != State::Behind; ++number) {
      const std::size_t end = std::min(text_.find('\n', at), text_.size());
      const std::string_view line = text_.substr(at, end - at);
      const std::size_t indent = line.find_first_not_of(' ');
      const bool counts = indent != std::string_view::npos && line[indent] != '#';
      if (counts && !take(at, number, indent, line.substr(indent))) return std::nullopt;
      at = std::min(end + 1, text_.size());
    }
    if (state_ == State::Within) end_item(text_.size());
    return std::move(pieces_);
  }

 private:
  enum class State { Before, AtKey, Within, Behind };

  bool take(std::size_t at, int number, std::size_t indent, std::string_view content) {
    const bool is_item = content.starts_with("- ");
    switch (state_) {
      case State::Before:
        if (indent == 0 && content.size() == list_.size() + 1 && content.starts_with(list_) && content.back() == ':')
          state_ = State::AtKey;
        return true;
      case State::AtKey:
        if (indent == 0 || !is_item) {  // no such list
          state_ = State::Behind;
          return true;
        }
        state_ = State::Within;
        pieces_.head = text_.substr(0, at);
        pieces_.list = {number, static_cast<int>(indent) + 1};
        indent_ = indent;
        break;
      case State::Within:
        if (indent > indent_) return true;
        end_item(at);
        if (indent != 0) break;
        state_ = State::Behind;
        pieces_.tail = text_.substr(at);
        pieces_.tail_line = number;
        return true;
      case State::Behind: return true;
    }
    begin_ = at;
    pieces_.items.push_back({{}, number});
    return indent == indent_ && is_item;
  }

  void end_item(std::size_t at) { pieces_.items.back().text = text_.substr(begin_, at - begin_); }

  std::string_view text_;
  std::string_view list_;
  State state_ = State::Before;
  std::size_t indent_ = 0;
  std::size_t begin_ = 0;
  Pieces pieces_;
};

}  // namespace

std::optional<PlainDocument> cut_plain_yaml(std::string_view text, std::string_view list) {
  if (text.size() > kLongest) return std::nullopt;
  auto pieces = Cutter(text, list).cut();
  if (!pieces) return std::nullopt;
  PlainParser parser;
  PlainDocument document;
  if (!parser.cut_lines(pieces->head, 1) || !parser.cut_lines(pieces->tail, pieces->tail_line) ||
      !parser.document(document.root))
    return std::nullopt;
  document.items = std::move(pieces->items);
  if (document.items.empty()) return document;
  std::vector<Node> &members = document.root.children;
  for (std::size_t i = 0; i < members.size(); i += 2)
    if (members[i].text == list) members[i + 1] = make(Node::Kind::List, pieces->list);
  return document;
}

std::optional<Node> parse_plain_item(std::string_view text) {
  PlainParser parser;
  Node item;
  if (!parser.cut_lines(text, 1) || !parser.only_item(item)) return std::nullopt;
  return item;
}

}  // namespace hostler
