// The file that merge() reads: what every slice left, written by the host as a stream, mapped by the merging worker.
//
// Native byte order; both ends are the same binary. Three sections, then a trailer that says where each ends:
//   committed    u32 input, i64 begin, i64 end, u32 files, u8 has_result, u64 size, result, files × (text)
//   quarantined  u32 input, i64 begin, i64 end, (text)
//   counters     i64 value, (text)
//   trailer      u64 end of committed, u64 end of quarantined, u64 end of counters, u64 magic
// A text is u32 size, its bytes, and a zero byte that is not counted, so that it can be handed out in place.
// Pure: the writer gives its bytes to a sink, the reader takes a view of them all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace hostler {

// A piece of one input in local positions. The pointers and views of one that was read point into the reader's bytes.
struct MergeRange {
  std::int32_t input = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::optional<std::string_view> result;
  std::vector<const char *> files;  // absolute paths, zero-terminated
  const char *reason = nullptr;     // why it was quarantined; null for a committed range
};

class MergeInputWriter {
 public:
  // Takes the next bytes of the file; its error ends the call that made it.
  using Sink = std::function<Result<void>(std::string_view)>;
  explicit MergeInputWriter(Sink sink) : sink_(std::move(sink)) {}

  // First all that is committed, in order of (input, begin); then what is quarantined, likewise; then the counters;
  // end.
  [[nodiscard]] Result<void> committed(const MergeRange &range);
  [[nodiscard]] Result<void> quarantined(const MergeRange &range);
  [[nodiscard]] Result<void> counter(std::string_view name, std::int64_t total);
  [[nodiscard]] Result<void> finish();

 private:
  enum class Section : std::size_t { Committed = 0, Quarantined = 1, Counters = 2, Trailer = 3 };
  void enter(Section section);
  [[nodiscard]] Result<void> write(std::string_view bytes);

  Sink sink_;
  std::uint64_t written_ = 0;
  Section section_ = Section::Committed;
  std::array<std::uint64_t, 3> ends_{};
};

class MergeInputReader {
 public:
  // `file` must outlive the reader and all that it gives. An error when it is no such file, or cut short.
  [[nodiscard]] static Result<MergeInputReader> open(std::string_view file);

  // The next range of each kind; nothing at the end; an error when the file is damaged.
  [[nodiscard]] Result<std::optional<MergeRange>> next_committed();
  [[nodiscard]] Result<std::optional<MergeRange>> next_quarantined();
  // 0 for one that was never counted.
  [[nodiscard]] std::int64_t counter(std::string_view name) const;

 private:
  MergeInputReader() = default;
  std::string_view committed_;  // what is not read yet
  std::string_view quarantined_;
  std::map<std::string, std::int64_t, std::less<>> counters_;
};

}  // namespace hostler
