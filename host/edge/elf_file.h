// Is a file a whole shared object for this machine? Checked before dlopen, which dies of half of one. Reads with pread:
// the file may change meanwhile. Any thread.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace hostler {

struct ElfFile {
  std::vector<std::string> needed;  // file names of the libraries it is linked with
};

// Errors say what is wrong with the file, without its name.
[[nodiscard]] Result<ElfFile> read_elf(int fd);

}  // namespace hostler
