#include "core/human_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace hostler {
namespace {

bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

template <std::size_t N>
std::string scaled(double value, double step, const std::array<const char *, N> &suffixes) {
  std::size_t power = 0;
  // Rounded first: 1023.96 KiB is 1.0 MiB.
  while (power + 1 < N && std::abs(value) >= step - 0.05) {
    value /= step;
    ++power;
  }
  return power == 0 ? fmt::format("{:.0f}{}", value, suffixes[0]) : fmt::format("{:.1f}{}", value, suffixes[power]);
}

}  // namespace

std::string human_seconds(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f}s", std::max(0.0, seconds));
  const auto whole = static_cast<std::int64_t>(std::min(std::round(seconds), 1e15));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h {}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d {}h", whole / 86400, whole % 86400 / 3600);
}

std::string human_bytes(double bytes) {
  return scaled<6>(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}

std::string human_count(double count) {
  return scaled<5>(count, 1000, {"", "k", "M", "G", "T"});
}

std::string counted(std::int64_t count, std::string_view one, std::string_view many) {
  if (count == 1) return fmt::format("1 {}", one);
  return many.empty() ? fmt::format("{} {}s", count, one) : fmt::format("{} {}", count, many);
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string fit(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  std::size_t kept = 0;
  std::size_t bytes = 0;
  while (bytes < text.size() && (kept < columns - 1 || !begins_character(text[bytes]))) {
    if (begins_character(text[bytes])) ++kept;
    ++bytes;
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto &row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  std::string text;
  for (const auto &row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - columns_of(row[i]) + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace hostler
