// A line's columns. Pure; not for several threads at once.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace aggregate {

/// How columns stand in a line.
struct Dialect {
  char delimiter = ',';
  bool blanks = false;  // instead of the delimiter: any run of spaces and tabs, those at both ends left out
  bool quotes = true;   // a column may be "in quotes", with "" for a quote, and then hold the delimiter
};

/// Splits one line after the other.
class Fields {
 public:
  explicit Fields(const Dialect &dialect) : dialect_(dialect) {}

  /// The line without its end; a '\r' there is part of the end. Returns what is wrong with its quotes, or nothing.
  std::string_view split(std::string_view line);

  /// The columns of the last line that was split; they live until the next.
  const std::vector<std::string_view> &columns() const { return columns_; }

 private:
  void split_blanks(std::string_view line);
  void split_plain(std::string_view line);
  std::string_view split_quoted(std::string_view line);
  std::string_view take_quoted(std::string_view &rest);

  Dialect dialect_;
  std::vector<std::string_view> columns_;
  std::deque<std::string> unquoted_;  // columns that held ""
};

}  // namespace aggregate
