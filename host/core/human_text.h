// Values as a person reads them at a glance, rounded. Pure. The exact forms are units.h's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hostler {

// "0.4s", "12s", "3m 5s", "2h 5m", "4d 3h".
[[nodiscard]] std::string human_seconds(double seconds);
// "812 B", "12.3 MiB".
[[nodiscard]] std::string human_bytes(double bytes);
// "812", "12.3k", "4.5M", "1.2G".
[[nodiscard]] std::string human_count(double count);
// "1 record", "12345 records", "2 retries": exactly. `many` where the plural is not made by an s.
[[nodiscard]] std::string counted(std::int64_t count, std::string_view one, std::string_view many = {});

// How many columns of a terminal UTF-8 text takes, if no character is wide.
[[nodiscard]] std::size_t columns_of(std::string_view text);
// Cut to so many columns, the last of them "…" when something is missing.
[[nodiscard]] std::string fit(std::string_view text, std::size_t columns);

// Columns as wide as their widest cell, two spaces between them, nothing behind the last.
class Table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Lines, each with its '\n'.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace hostler
