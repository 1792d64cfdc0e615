#include "settings.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>

namespace aggregate {
namespace {

constexpr double kMostSeconds = 86400;
constexpr const char *kNoColumn = "expected the number of a column, from 1 on, or with 'header: true' its name";

[[noreturn]] void refuse(const std::string &why) {
  throw hostler::Verdict(HOSTLER_BAD_CONFIG, why);
}

[[noreturn]] void refuse(const char *param, std::string_view text, const std::string &expected) {
  refuse(std::string("the parameter '") + param + "' is '" + std::string(text) + "', " + expected);
}

Dialect read_dialect(const hostler::Slice &slice) {
  Dialect dialect;
  const std::string_view delimiter = slice.param("delimiter", ",");
  dialect.blanks = delimiter == "blanks";
  if (delimiter == "tab") {
    dialect.delimiter = '\t';
  } else if (delimiter.size() == 1 && delimiter != "\"" && delimiter != "\n" && delimiter != "\r") {
    dialect.delimiter = delimiter.front();
  } else if (!dialect.blanks) {
    refuse("delimiter", delimiter,
           "expected one character that is no quote, or tab, or blanks (any run of spaces and tabs)");
  }
  const bool usual = !dialect.blanks && (dialect.delimiter == ',' || dialect.delimiter == ';');
  dialect.quotes = slice.param("quotes", usual);
  if (dialect.quotes && dialect.blanks) refuse("with 'delimiter: blanks' there are no quotes: leave 'quotes' out");
  return dialect;
}

/// The number that a column is named by, from 0 on; nothing when it is a name.
std::optional<size_t> as_number(std::string_view column) {
  size_t number = 0;
  const char *end = column.data() + column.size();
  const auto [stop, error] = std::from_chars(column.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number - 1;
}

void check_column(const char *param, const std::string &column, const Settings &settings) {
  constexpr size_t kMostColumns = 1'000'000;
  const auto number = as_number(column);
  if (number ? *number >= kMostColumns : !settings.header || column.empty()) refuse(param, column, kNoColumn);
}

std::vector<std::string> read_key(std::string_view text) {
  if (text.substr(0, 1) != "[") return {std::string(text)};
  std::vector<std::string> columns;
  const auto list = nlohmann::json::parse(text, nullptr, false);
  if (!list.is_array() || list.empty()) refuse("key", text, kNoColumn);
  for (const auto &column : list) columns.push_back(column.is_string() ? column.get<std::string>() : column.dump());
  return columns;
}

std::vector<std::string> read_header(const Settings &settings, const char *path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::getline(file, line);
  if (file.bad() || !file.is_open()) throw hostler::Verdict(HOSTLER_ERROR, std::string("reading ") + path + " failed");
  Fields fields(settings.dialect);
  const std::string_view wrong = fields.split(without_byte_order_mark(line));
  if (!wrong.empty()) refuse(std::string(path) + ":1: " + std::string(wrong));
  return {fields.columns().begin(), fields.columns().end()};
}

size_t find_column(const std::string &column, const std::vector<std::string> &header, const char *path) {
  if (const auto number = as_number(column)) return *number;
  const auto found = std::find(header.begin(), header.end(), column);
  if (found != header.end()) return static_cast<size_t>(found - header.begin());
  std::string names;
  for (const std::string &name : header) names += (names.empty() ? "" : ", ") + name;
  refuse(std::string(path) + ":1: no column is named '" + column + "'; there are: " + names);
}

}  // namespace

Settings read_settings(const hostler::Slice &slice) {
  Settings settings;
  settings.dialect = read_dialect(slice);
  settings.header = slice.param("header", false);
  settings.checkpoint_seconds = slice.param("checkpoint", settings.checkpoint_seconds);
  if (!(settings.checkpoint_seconds >= 0 && settings.checkpoint_seconds <= kMostSeconds))
    refuse("checkpoint", slice.param("checkpoint"), "expected seconds, 0 to 86400");
  settings.key = read_key(slice.param("key"));
  for (const std::string &column : settings.key) check_column("key", column, settings);
  if (const std::string_view value = slice.param("value", ""); !value.empty()) {
    settings.value = value;
    check_column("value", *settings.value, settings);
  }
  return settings;
}

Columns Columns::find(const Settings &settings, const char *path) {
  std::vector<std::string> header;
  if (settings.header) header = read_header(settings, path);
  Columns columns;
  for (const std::string &column : settings.key) columns.key.push_back(find_column(column, header, path));
  if (settings.value) columns.value = find_column(*settings.value, header, path);

  columns.count = *std::max_element(columns.key.begin(), columns.key.end()) + 1;
  if (columns.value) columns.count = std::max(columns.count, *columns.value + 1);
  if (settings.header) {
    if (columns.count > header.size())
      refuse(std::string(path) + ":1: has " + std::to_string(header.size()) + " columns, the parameters name column " +
             std::to_string(columns.count));
    columns.count = header.size();
    columns.exact = true;
  }
  return columns;
}

std::string_view without_byte_order_mark(std::string_view line) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return line.substr(0, kMark.size()) == kMark ? line.substr(kMark.size()) : line;
}

}  // namespace aggregate
