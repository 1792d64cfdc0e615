// Count, sum, least and greatest value of each key. Pure; not for several threads at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "number.h"

namespace aggregate {

struct Stats {
  int64_t count = 0;
  Number sum = 0;
  Number min = 0;
  Number max = 0;

  static Stats of(Number value) { return {1, value, value, value}; }
  /// False when the sum would be too large; these are of no use then.
  bool add(const Stats &other);
};

/// One line of a table: "KEY\tCOUNT\n", or "KEY\tCOUNT\tSUM\tMIN\tMAX\n". A key may hold tabs.
struct Row {
  std::string_view key;
  Stats stats;
};

void append_row(std::string &text, const Row &row, bool with_values);

/// Takes the row that `text` begins with; nothing, and `text` is as it was, when that is none.
std::optional<Row> take_row(std::string_view &text, bool with_values);

class Table {
 public:
  /// Without values the rows have a count alone.
  explicit Table(bool with_values) : with_values_(with_values) {}

  /// False when the sum would be too large; the table is of no use then.
  bool add(std::string_view key, const Stats &stats);

  /// Adds what to_text() made. False at the first row that it did not make, or that cannot be added.
  bool add_text(std::string_view text);

  /// The rows, bytewise by key.
  std::string to_text() const;

  bool empty() const { return stats_.empty(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  bool with_values_;
  std::unordered_map<std::string, Stats, Hash, std::equal_to<>> stats_;
};

}  // namespace aggregate
