#include "tally.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace wordcount {
namespace {

constexpr char kLowerCaseBit = 0x20;

constexpr std::array<bool, 256> kIsLetter = [] {
  std::array<bool, 256> is_letter{};
  for (unsigned char c = 'a'; c <= 'z'; c++) is_letter[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; c++) is_letter[c] = true;
  return is_letter;
}();

bool is_letter(char byte) {
  return kIsLetter[static_cast<unsigned char>(byte)];
}

}  // namespace

int64_t Tally::add_line(std::string_view line) {
  int64_t words = 0;
  const char *at = line.data();
  const char *end = at + line.size();
  while (true) {
    while (at < end && !is_letter(*at)) at++;
    if (at == end) return words;
    const char *start = at;
    while (at < end && is_letter(*at)) at++;
    word_.assign(start, at);
    for (char &c : word_) c = static_cast<char>(c | kLowerCaseBit);
    add(word_, 1);
    words++;
  }
}

void Tally::add(std::string_view word, int64_t count) {
  const auto found = counts_.find(word);
  if (found != counts_.end()) {
    found->second += count;
  } else {
    counts_.emplace(word, count);
  }
}

std::vector<Entry> Tally::ranked() const {
  std::vector<Entry> entries;
  entries.reserve(counts_.size());
  for (const auto &[word, count] : counts_) entries.push_back({word, count});
  std::sort(entries.begin(), entries.end(),
            [](const Entry &a, const Entry &b) { return a.count != b.count ? a.count > b.count : a.word < b.word; });
  return entries;
}

std::string to_line(const Entry &entry) {
  std::string line = std::to_string(entry.count);
  line += '\t';
  line += entry.word;
  line += '\n';
  return line;
}

std::string Tally::to_text() const {
  std::string text;
  for (const auto &[word, count] : counts_) text += to_line({word, count});
  return text;
}

bool Tally::add_text(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    int64_t count = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const auto tab = static_cast<size_t>(stop - text.data());
    if (end == std::string_view::npos || error != std::errc{} || tab + 1 >= end || text[tab] != '\t') return false;
    add(text.substr(tab + 1, end - tab - 1), count);
    text.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace wordcount
