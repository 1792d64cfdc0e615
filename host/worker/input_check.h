// Inputs must hold still: tells in words how a file differs from the job's manifest.
#pragma once

#include <string>

#include "core/slicing.h"

namespace hostler {

// Empty: it is as planned. Else "input PATH changed: …". No allocation when nothing has changed.
[[nodiscard]] std::string input_change(const Input &planned);

}  // namespace hostler
