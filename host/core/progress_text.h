// How far a job is, and how it ended, in one line. Pure.
#pragma once

#include <cstddef>
#include <string>

#include "core/status.h"

namespace hostler {

// "12/64 slices, 18%, 12.3M/s, 12s to go, 1 quarantined": for tables and plain output.
[[nodiscard]] std::string progress_words(const EntryStatus &job);

// "words  [####......]  40%  12/64 slices  12.3M/s  ETA 12s", cut to so many columns; `name_columns` aligns several.
[[nodiscard]] std::string progress_line(const EntryStatus &job, std::size_t name_columns, std::size_t columns);

// Is there anything of the slices that --resume would try again? Records that were skipped are done.
[[nodiscard]] bool has_undone(const JobProgress &progress);

// "words: succeeded, 64 of 64 slices done, 2 retries"; a reason and what waits for --fresh or --resume behind it.
[[nodiscard]] std::string verdict_line(const EntryStatus &job);

}  // namespace hostler
