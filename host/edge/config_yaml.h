// workers.yaml and the files it includes, read whole and checked, or the first error. Blocking; any thread, the
// supervisor's thread excepted. Nothing is kept open.
#pragma once

#include <string>

#include "core/config.h"
#include "core/entry_memory.h"
#include "core/error.h"

namespace hostler {

// Relative paths, in a file and in what it includes, start in the folder of the file that says them. Errors have
// where = "FILE:LINE:COLUMN: KEY.PATH"; lines and columns count from 1, columns in bytes. core/config_builder's
// supported_keys() lists what may stand in it.
//
// With a memory, only that is read of which the memory does not know what would come of it; if all is good, it remembers
// this reading from then on.
[[nodiscard]] Result<Config> read_config(const std::string &path, EntryMemory *memory = nullptr);
// The same as if it were for another machine.
[[nodiscard]] Result<Config> read_config(const std::string &path, Machine &machine, EntryMemory *memory = nullptr);

// Only where the state of that configuration's host lies: it is told though an entry is wrong, and neither the files that
// entries name nor those that are included are read.
[[nodiscard]] Result<std::string> read_state_folder(const std::string &path);

}  // namespace hostler
