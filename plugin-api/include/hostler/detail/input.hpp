// What a slice reads of its file. On the thread of run() only.
#pragma once

#include <hostler/detail/claims.hpp>
#include <hostler/detail/mapping.hpp>

#include <optional>

namespace hostler {

/// The positions [begin, end) of a record in its file.
struct Span {
  int64_t begin = 0;
  int64_t end = 0;
};

}  // namespace hostler

namespace hostler::detail {

/// The claims and the mapped file of one slice. Lives as long as the slice, so that a line may be kept after its loop.
class Input {
 public:
  explicit Input(const hostler_slice_t *slice) : slice_(slice), claims_(slice) {}

  const hostler_slice_t *slice() const { return slice_; }
  Claims &claims() { return claims_; }

  /// The file from one byte before `resume` to a little beyond `end`. Mapped on first use.
  const Mapping &window() {
    if (!window_) {
      window_.emplace(slice_->path, before_resume(), slice_->end + kTail);
      if (window_->file_size() < slice_->end) {
        throw Verdict(HOSTLER_ERROR, std::string(slice_->path) + ": the file is shorter than it was");
      }
    }
    return *window_;
  }

  /// The same, to the end of the file: for a last line that leaves the window.
  const Mapping &rest() {
    if (!rest_) rest_.emplace(slice_->path, before_resume(), window().file_size());
    return *rest_;
  }

  /// Where the first line starts that starts in [resume, to); `to` when none does. Where a checkpoint stood a line starts:
  /// it is only what comes before the slice that may reach into it.
  int64_t first_line(int64_t to) {
    const int64_t from = slice_->resume;
    if (from == 0 || from >= to || from > slice_->begin) return from;
    const char *before = window().data(from - 1);
    const void *newline = std::memchr(before, '\n', static_cast<size_t>(to - from));
    return newline == nullptr ? to : window().position(static_cast<const char *>(newline)) + 1;
  }

  /// Where a line or record, which is a view of the mapped file, stands there: with its '\n' if it has one.
  Span span_of(std::string_view record) {
    const bool in_window = window().holds(record.data());
    const Mapping &source = in_window ? window() : rest();
    const int64_t begin = source.position(record.data());
    const int64_t end = begin + static_cast<int64_t>(record.size());
    const bool has_newline = slice_->kind != HOSTLER_RECORDS && end < source.end() && *source.data(end) == '\n';
    return {begin, has_newline ? end + 1 : end};
  }

  /// The lines that start in [resume, to), as they stand in the file.
  std::string_view whole_lines(int64_t to) {
    const int64_t first = first_line(to);
    if (first >= to) return {};
    const int64_t last_byte = to - 1;  // the last line is the one it belongs to
    if (const auto end = line_end(window(), last_byte)) return window().view(first, *end);
    return rest().view(first, line_end(rest(), last_byte).value_or(rest().end()));
  }

 private:
  static constexpr int64_t kTail = int64_t{64} * 1024;

  int64_t before_resume() const { return slice_->resume > 0 ? slice_->resume - 1 : 0; }

  /// One past the line that `position` is part of; nothing when it leaves the mapping.
  static std::optional<int64_t> line_end(const Mapping &mapping, int64_t position) {
    const void *newline = std::memchr(mapping.data(position), '\n', static_cast<size_t>(mapping.end() - position));
    if (newline != nullptr) return mapping.position(static_cast<const char *>(newline)) + 1;
    if (mapping.end() == mapping.file_size()) return mapping.end();
    return std::nullopt;
  }

  const hostler_slice_t *slice_;
  Claims claims_;
  std::optional<Mapping> window_;
  std::optional<Mapping> rest_;
};

}  // namespace hostler::detail
