#include "fields.h"

namespace aggregate {

std::string_view Fields::split(std::string_view line) {
  columns_.clear();
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (dialect_.blanks) {
    split_blanks(line);
    return {};
  }
  if (dialect_.quotes && line.find('"') != std::string_view::npos) return split_quoted(line);
  split_plain(line);
  return {};
}

void Fields::split_blanks(std::string_view line) {
  constexpr std::string_view kBlanks = " \t";
  for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const size_t end = line.find_first_of(kBlanks, at);
    columns_.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
}

void Fields::split_plain(std::string_view line) {
  const char *start = line.data();
  const char *const end = start + line.size();
  for (const char *at = start; at < end; at++) {
    if (*at != dialect_.delimiter) continue;
    columns_.emplace_back(start, static_cast<size_t>(at - start));
    start = at + 1;
  }
  columns_.emplace_back(start, static_cast<size_t>(end - start));
}

std::string_view Fields::split_quoted(std::string_view line) {
  unquoted_.clear();
  while (true) {
    if (!line.empty() && line.front() == '"') {
      if (const std::string_view wrong = take_quoted(line); !wrong.empty()) return wrong;
    } else {
      const std::string_view column = line.substr(0, line.find(dialect_.delimiter));
      if (column.find('"') != std::string_view::npos) return "a quote stands in the middle of a column";
      columns_.push_back(column);
      line.remove_prefix(column.size());
    }
    if (line.empty()) return {};
    if (line.front() != dialect_.delimiter) return "something follows a closing quote";
    line.remove_prefix(1);
  }
}

/// Takes the column that `rest` begins with.
std::string_view Fields::take_quoted(std::string_view &rest) {
  const std::string_view column = rest.substr(1);
  bool has_doubled = false;
  size_t end = column.find('"');
  while (end != std::string_view::npos && end + 1 < column.size() && column[end + 1] == '"') {
    has_doubled = true;
    end = column.find('"', end + 2);
  }
  if (end == std::string_view::npos) return "a quote is not closed on its line";
  rest = column.substr(end + 1);
  if (!has_doubled) {
    columns_.push_back(column.substr(0, end));
    return {};
  }
  std::string &text = unquoted_.emplace_back(column.substr(0, end));
  for (size_t at = text.find("\"\""); at != std::string::npos; at = text.find("\"\"", at + 1)) text.erase(at, 1);
  columns_.push_back(text);
  return {};
}

}  // namespace aggregate
