// wordcount: the most frequent words of text files. A slice leaves its counts; merge adds them up and ranks them.
#include <fstream>
#include <hostler/plugin.hpp>
#include <iterator>

#include "tally.h"

HOSTLER_PLUGIN("wordcount", "1.0.0", HOSTLER_SPLITTABLE);

namespace wordcount {
namespace {

constexpr int64_t kDefaultTop = 20;
constexpr const char *kCountsFile = "counts.tsv";

int64_t read_top(const hostler::Slice &slice) {
  const auto top = slice.param<int64_t>("top", kDefaultTop);
  if (top >= 0) return top;
  throw hostler::Verdict(HOSTLER_BAD_CONFIG, "the parameter 'top' is " + std::to_string(top) + ", expected 0 or more");
}

/// As the slice's result, or as a file when that is too small for them.
void leave_counts(hostler::Slice &slice, const std::string &counts) {
  if (counts.size() <= HOSTLER_MAX_RESULT) {
    slice.result(counts);
  } else {
    slice.output(kCountsFile).write(counts);
  }
}

std::string read_file(const char *path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) throw hostler::Verdict(HOSTLER_ERROR, std::string("reading ") + path + " failed");
  return text;
}

void add_counts(Tally &tally, const hostler::Range &range) {
  const char *file = range.file(kCountsFile);
  const bool intact = file == nullptr ? tally.add_text(range.result()) : tally.add_text(read_file(file));
  if (!intact) {
    throw hostler::Verdict(HOSTLER_ERROR, "a slice's counts are damaged");
  }
}

void count_words(hostler::Slice &slice) {
  read_top(slice);  // at the first slice, not at the last moment
  Tally tally;
  int64_t lines = 0;
  int64_t words = 0;
  for (std::string_view line : slice.lines()) {
    words += tally.add_line(line);
    lines++;
  }
  slice.counter("lines", lines);
  slice.counter("words", words);
  leave_counts(slice, tally.to_text());
}

void rank_words(hostler::Slice &slice, hostler::Results &results) {
  const int64_t top = read_top(slice);
  Tally tally;
  for (const hostler::Range &range : results.committed()) {
    slice.heartbeat();
    add_counts(tally, range);
  }

  hostler::Output &all = slice.output("words.tsv");
  hostler::Output &best = slice.output("top.txt");
  std::string list;
  int64_t rank = 0;
  for (const Entry &entry : tally.ranked()) {
    const std::string line = to_line(entry);
    all.write(line);
    if (rank++ < top) list += line;
  }
  best.write(list);
  slice.result(list);
}

}  // namespace
}  // namespace wordcount

HOSTLER_RUN(wordcount::count_words)
HOSTLER_MERGE(wordcount::rank_words)
