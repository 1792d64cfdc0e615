// From the bytes that a crash left to a backtrace with names: libdw unwinds the copied stack by the unwind tables of the
// files that were mapped, and reads functions and lines from their debug information. libdw is in unwind.cc and
// source_names.cc alone. Errors: a backtrace that says why in `problem`.
#pragma once

#include "core/backtrace.h"
#include "core/crash.h"

namespace hostler {

[[nodiscard]] Backtrace unwind(const CrashCapture &capture);

}  // namespace hostler
