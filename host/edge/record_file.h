// Finds a record of an input in its file: which bytes a line is, or what they are. Reads no more than it must.
#pragma once

#include "core/error.h"
#include "core/poison.h"

namespace hostler {

// An error when the file is not as it was planned, cannot be read, or no line starts in the block.
[[nodiscard]] Result<FoundRecord> find_record(const RecordQuery &query);

}  // namespace hostler
