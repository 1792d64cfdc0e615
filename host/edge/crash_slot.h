// Reads what a crash has left in a slot (core/crash.h), after the death of who wrote it. Any thread.
#pragma once

#include <sys/types.h>

#include <optional>

#include "core/crash.h"

namespace hostler {

// The slot that begins at `offset` of the file. `signal`: what the process died of. Nothing: it did not come to noting that.
[[nodiscard]] std::optional<CrashCapture> read_crash_slot(int file, off_t offset, int signal);

}  // namespace hostler
