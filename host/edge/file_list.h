// The files that patterns name, on the disk. Blocking, for as long as the folders take to read; any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/slicing.h"

namespace hostler {

enum class NoMatch { Refused, Allowed };

// The regular files (also through symbolic links) that plain paths name and patterns match, see core/glob. The files of
// one pattern come in the order of their bytes, the patterns in the order given, and each path once, where it came
// first.
// `**` follows no symbolic link to a folder; a folder that cannot be read is an error. A plain path must name a regular
// file, and every file must be readable. A pattern that matches none is an error unless Allowed.
// Relative ones start in the current folder. Errors have no `where`; they name the pattern or the path.
[[nodiscard]] Result<std::vector<Input>> list_files(std::span<const std::string> patterns,
                                                    NoMatch no_match = NoMatch::Refused);

}  // namespace hostler
