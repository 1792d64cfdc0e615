// workers.yaml and the files it includes, read whole and checked, or the first error. Blocking; any thread, the
// supervisor's thread excepted. Nothing is kept open.
#pragma once

#include <string>

#include "core/config.h"
#include "core/error.h"

namespace hostler {

// Relative paths, in a file and in what it includes, start in the folder of the file that says them. Errors have
// where = "FILE:LINE:COLUMN: KEY.PATH"; lines and columns count from 1, columns in bytes. core/config_builder's
// supported_keys() lists what may stand in it.
[[nodiscard]] Result<Config> read_config(const std::string &path);
// The same as if it were for another machine.
[[nodiscard]] Result<Config> read_config(const std::string &path, Machine &machine);

}  // namespace hostler
