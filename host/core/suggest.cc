#include "core/suggest.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/config_place.h"

namespace hostler {
namespace {

constexpr std::size_t kLongestWord = 64;  // a longer word is nobody's slip

using Row = std::array<std::size_t, kLongestWord + 1>;

char plain(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

// Optimal string alignment, three rows at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  Row before{};
  Row last{};
  Row row{};
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = plain(a[i - 1]) == plain(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t fewest = kLongestWord;
  for (const std::string_view candidate : known) {
    if (candidate.size() > kLongestWord) continue;
    const std::size_t slips = distance(word, candidate);
    const std::size_t allowed = std::max<std::size_t>(1, std::min(word.size(), candidate.size()) / 3);
    if (slips > allowed || slips >= std::min(word.size(), candidate.size()) || slips >= fewest) continue;
    fewest = slips;
    best = candidate;
  }
  return best;
}

Error unknown_key(std::string_view key, std::span<const std::string_view> known) {
  const auto near = nearest(key, known);
  return {"", "unknown key " + in_quotes(key),
          near            ? fmt::format("did you mean \"{}\"?", *near)
          : known.empty() ? "there is none here"
                          : fmt::format("known here: {}", fmt::join(known, ", "))};
}

}  // namespace hostler
