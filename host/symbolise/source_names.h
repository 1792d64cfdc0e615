// Function, file and line of an address, by the debug information of the module it is in, or else its symbol table.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backtrace.h"

struct Dwfl;  // libdw's

namespace hostler {

// The frames of one place in the code: those of functions inlined there first. There is always one. `after_call`: the
// address is where a call returns to, so the call is looked for just before it.
[[nodiscard]] std::vector<Frame> name_frames(Dwfl *dwfl, std::uint64_t address, bool after_call);

}  // namespace hostler
