#include "table.h"

#include <algorithm>
#include <charconv>

namespace aggregate {
namespace {

/// Takes what follows the last tab.
std::optional<std::string_view> take_last(std::string_view &row) {
  const size_t tab = row.rfind('\t');
  if (tab == std::string_view::npos) return std::nullopt;
  const std::string_view last = row.substr(tab + 1);
  row = row.substr(0, tab);
  return last;
}

bool take_last_number(std::string_view &row, Number &number) {
  const auto text = take_last(row);
  const auto value = text ? parse_number(*text, kMostSumDigits) : std::nullopt;
  number = value.value_or(0);
  return value.has_value();
}

bool take_last_count(std::string_view &row, int64_t &count) {
  const auto text = take_last(row);
  if (!text) return false;
  const char *end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, count);
  return error == std::errc{} && stop == end && count > 0;
}

}  // namespace

bool Stats::add(const Stats &other) {
  if (__builtin_add_overflow(count, other.count, &count) || !aggregate::add(sum, other.sum)) return false;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  return true;
}

void append_row(std::string &text, const Row &row, bool with_values) {
  text += row.key;
  text += '\t';
  text += std::to_string(row.stats.count);
  if (with_values) {
    for (const Number number : {row.stats.sum, row.stats.min, row.stats.max}) {
      text += '\t';
      append_number(text, number);
    }
  }
  text += '\n';
}

std::optional<Row> take_row(std::string_view &text, bool with_values) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view rest = text.substr(0, end);
  Row row;
  if (with_values && (!take_last_number(rest, row.stats.max) || !take_last_number(rest, row.stats.min) ||
                      !take_last_number(rest, row.stats.sum)))
    return std::nullopt;
  if (!take_last_count(rest, row.stats.count)) return std::nullopt;
  row.key = rest;
  text.remove_prefix(end + 1);
  return row;
}

bool Table::add(std::string_view key, const Stats &stats) {
  const auto found = stats_.find(key);
  if (found != stats_.end()) return found->second.add(stats);
  stats_.emplace(key, stats);
  return true;
}

bool Table::add_text(std::string_view text) {
  while (!text.empty()) {
    const auto row = take_row(text, with_values_);
    if (!row || !add(row->key, row->stats)) return false;
  }
  return true;
}

std::string Table::to_text() const {
  std::vector<Row> rows;
  rows.reserve(stats_.size());
  for (const auto &[key, stats] : stats_) rows.push_back({key, stats});
  std::sort(rows.begin(), rows.end(), [](const Row &a, const Row &b) { return a.key < b.key; });
  std::string text;
  for (const Row &row : rows) append_row(text, row, with_values_);
  return text;
}

}  // namespace aggregate
