// How often each word occurs. Pure; not for several threads at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace wordcount {

struct Entry {
  std::string_view word;
  int64_t count;
};

/// Words are maximal runs of ASCII letters, in lower case.
class Tally {
 public:
  /// Counts the words of a line. Returns how many there were.
  int64_t add_line(std::string_view line);

  /// Counts `count` more of a word that is in lower case already.
  void add(std::string_view word, int64_t count);

  /// By count, most frequent first, then bytewise by word. The words live as long as the tally is not changed.
  std::vector<Entry> ranked() const;

  /// As lines of "COUNT\tWORD\n", in no particular order.
  std::string to_text() const;

  /// Adds what to_text() made. False, and nothing more is added, at the first line that it did not make.
  bool add_text(std::string_view text);

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> counts_;
  std::string word_;  // kept for its memory
};

/// One line of to_text().
std::string to_line(const Entry &entry);

}  // namespace wordcount
