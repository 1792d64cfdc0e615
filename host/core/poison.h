// Which part of a slice a crash is to be blamed on, so that what kills its worker can be put aside and the rest be done.
// Pure; what a line is only the file can tell (JobStore::read_record).
//
// A worker's page says what it had claimed last and, if the plugin marks its records, which of them it was at. Nothing of
// that is trusted: what does not lie in the slice is as if it were not said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/page.h"
#include "core/slicing.h"

namespace hostler {

// The most bytes of a record that are kept.
inline constexpr std::int64_t kMostRecordBytes = std::int64_t{64} << 10;

// As the page has it, in local positions.
struct Suspicion {
  Interval block;                  // what was claimed last, or the whole slice
  std::optional<std::int64_t> at;  // within it: the record that was marked
};
// `slice`: the one begun, local positions, whose records have `unit` positions.
[[nodiscard]] Suspicion suspicion(const WorkerPart &page, Interval slice, std::int64_t unit);

// What to look for in a file.
struct RecordQuery {
  Input input;
  InputKind kind = InputKind::Lines;  // or Records
  Interval block;                     // bytes; of Lines: the lines that start in it. Of Records: one record
  std::optional<std::int64_t> at;     // a byte of the line that is meant; else the first one of the block
};
struct FoundRecord {
  Interval at;         // all its bytes, its '\n' with them; may reach beyond the block
  bool alone = false;  // nothing else starts in the block
  std::string bytes;   // without the '\n', at most kMostRecordBytes
};

// What a crash is to be blamed on, in global positions within the slice.
struct Culprit {
  Interval stretch;
  bool is_record = false;  // just one; else it is to be bisected
  bool is_marked = false;  // by the plugin; else it is known from what was claimed
  Interval record;         // is_record: local, whole, also where it leaves the slice
  std::string bytes;
};

// The question that only the file can answer, or nothing.
[[nodiscard]] std::optional<RecordQuery> query_for(const Suspicion &suspicion, const Manifest &plan,
                                                   const SliceSpan &slice);
// `found`: the answer. Nothing for a whole file, which is not cut, and for lines where none starts.
[[nodiscard]] std::optional<Culprit> culprit(const Suspicion &suspicion, const Manifest &plan, const SliceSpan &slice,
                                             const std::optional<FoundRecord> &found);

}  // namespace hostler
