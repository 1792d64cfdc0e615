// Writes the file that merge() reads (core/merge_input.h) from the ledger, as a stream. Blocking.
#pragma once

#include <string>

#include "edge/disk_error.h"
#include "edge/ledger.h"

namespace hostler {

// All that is done of the job of that name, in order: what left something as it was left, what left nothing joined with
// its neighbours of the same input; then what is quarantined, and the totals. Replaces the file at `path`.
[[nodiscard]] DiskResult<void> write_merge_file(Ledger &ledger, const std::string &name, const std::string &path);

}  // namespace hostler
