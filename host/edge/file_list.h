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
// first. A pattern leaves out folders that match, and nothing else silently: what is no file that can be read from
// begin to end (see input_file.h), a symbolic link that leads nowhere, and a folder that cannot be read are errors, as
// they are of a plain path, for which a folder is one too. A pattern that matches none is an error unless Allowed,
// and then too if the folder that it begins in is not there.
// `**` follows no symbolic link to a folder.
// Relative ones start in the current folder. Errors have no `where`; they name the pattern or the path.
[[nodiscard]] Result<std::vector<Input>> list_files(std::span<const std::string> patterns,
                                                    NoMatch no_match = NoMatch::Refused);

}  // namespace hostler
