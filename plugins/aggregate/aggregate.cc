// aggregate: count, sum, least and greatest value by key, of the columns of text files. A slice leaves its table, sorted
// by key; merge makes one of them all. While it works, a checkpoint saves the table about once a second.
#include <hostler/plugin.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>

#include "merging.h"
#include "reader.h"
#include "settings.h"
#include "table.h"

// The state is the table as text. Another form of it is another version.
HOSTLER_PLUGIN_WITH_STATE("aggregate", "1.0.0", HOSTLER_SPLITTABLE, 1);

namespace aggregate {
namespace {

constexpr const char *kTableFile = "table.tsv";
constexpr const char *kMergedFile = "aggregate.tsv";
/// A table up to this size is a result, which merge adds up in memory; a larger one is a file, which merge maps.
constexpr size_t kSmall = size_t{64} * 1024;
constexpr int64_t kKeysBetweenBeats = 4096;

[[noreturn]] void damaged(const std::string &what) {
  throw hostler::Verdict(HOSTLER_ERROR,
                         what + " is damaged, or a sum has more than " + std::to_string(kMostSumDigits) + " digits");
}

/// One slice in work.
class Work {
 public:
  explicit Work(hostler::Slice &slice)
      : slice_(slice),
        settings_(read_settings(slice)),
        reader_(settings_, slice->path),
        table_(settings_.value.has_value()) {
    if (const auto saved = slice.saved(); saved && !table_.add_text(*saved)) damaged("the checkpoint");
  }

  void run() {
    bool first_of_file = slice_.resume() == 0;
    for (const std::string_view line : slice_.lines()) {
      if (++seen_ % kLinesBetweenLooks == 0 && Clock::now() >= next_save_) save(slice_.span_of(line).begin);
      if (first_of_file && !settings_.header) {
        take(without_byte_order_mark(line));
      } else if (!first_of_file) {
        take(line);
      }
      first_of_file = false;
    }
    tell_counters();
    leave_table();
  }

 private:
  using Clock = std::chrono::steady_clock;

  static constexpr int64_t kLinesBetweenLooks = 256;

  void take(std::string_view line) {
    if (line.empty() || line == "\r") return;
    const Reader::Result result = reader_.read(line);
    if (!result.wrong.empty()) {
      put_aside(line, result.wrong);
    } else if (table_.add(result.row.key, result.row.stats)) {
      lines_++;
    } else {
      damaged("the table");
    }
  }

  void put_aside(std::string_view line, const std::string &why) {
    const auto [begin, end] = slice_.span_of(line);
    const auto skip = slice_->host->skip;
    if (skip == nullptr)
      throw hostler::Verdict(HOSTLER_BAD_DATA,
                             std::string(slice_->path) + ": the line at byte " + std::to_string(begin) + ": " + why);
    int answer = skip(slice_.get(), begin, end, why.c_str());
    if (answer == -EMSGSIZE) {  // more than a segment may put aside: a checkpoint makes room
      save(begin);
      answer = skip(slice_.get(), begin, end, why.c_str());
    }
    if (answer < 0) throw hostler::Verdict(HOSTLER_ERROR, std::string("skip: ") + std::strerror(-answer));
  }

  /// All lines before `position` are done.
  void save(int64_t position) {
    const std::string table = table_.to_text();
    if (table.size() > HOSTLER_MAX_CHECKPOINT) return;
    tell_counters();
    slice_.checkpoint(position, table);
    next_save_ = Clock::now() + pause_;
  }

  void tell_counters() {
    if (lines_ > 0) slice_.counter("lines", lines_);
    lines_ = 0;
  }

  void leave_table() {
    const std::string table = table_.to_text();
    if (table.size() > kSmall) {
      slice_.output(kTableFile).write(table);
    } else if (!table.empty()) {
      slice_.result(table);
    }
  }

  hostler::Slice &slice_;
  Settings settings_;
  Reader reader_;
  Table table_;
  int64_t seen_ = 0;
  int64_t lines_ = 0;  // not told yet
  Clock::duration pause_ =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(settings_.checkpoint_seconds));
  Clock::time_point next_save_ = Clock::now() + pause_;
};

void aggregate_slice(hostler::Slice &slice) {
  Work(slice).run();
}

void merge_slices(hostler::Slice &slice, hostler::Results &results) {
  const bool with_values = read_settings(slice).value.has_value();
  Table small(with_values);
  std::list<MappedFile> large;
  for (const hostler::Range range : results.committed()) {
    slice.heartbeat();
    if (const char *file = range.file(kTableFile)) large.emplace_back(file);
    if (!small.add_text(range.result())) damaged("the result of a slice");
  }
  const std::string small_text = small.to_text();
  std::vector<std::string_view> tables{small_text};
  for (const MappedFile &file : large) tables.push_back(file.text());

  hostler::Output &merged = slice.output(kMergedFile);
  std::string text;
  int64_t keys = 0;
  const bool whole = merge_tables(tables, with_values, [&](const Row &row) {
    text.clear();
    append_row(text, row, with_values);
    merged.write(text);
    if (++keys % kKeysBetweenBeats == 0) slice.heartbeat();
  });
  if (!whole) damaged("the table of a slice");
  slice.counter("keys", keys);
  slice.result(std::to_string(keys) + (keys == 1 ? " key in " : " keys in ") + kMergedFile + "\n");
}

}  // namespace
}  // namespace aggregate

HOSTLER_RUN(aggregate::aggregate_slice)
HOSTLER_MERGE(aggregate::merge_slices)
