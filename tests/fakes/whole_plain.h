// A whole document of plain YAML, put together of the pieces that core/plain_yaml reads it in.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "core/plain_yaml.h"

namespace hostler {

inline void move_down(Node &node, int lines) {
  node.mark.line += lines;
  for (Node &child : node.children) move_down(child, lines);
}

inline std::optional<Node> parse_plain_yaml(std::string_view text, std::string_view list = "workers") {
  auto document = cut_plain_yaml(text, list);
  if (!document) return std::nullopt;
  for (const PlainItem &item : document->items) {
    auto node = parse_plain_item(item.text);
    if (!node) return std::nullopt;
    move_down(*node, item.line - 1);
    for (std::size_t i = 0; i < document->root.children.size(); i += 2)
      if (document->root.children[i].text == list) document->root.children[i + 1].children.push_back(std::move(*node));
  }
  return std::move(document->root);
}

}  // namespace hostler
