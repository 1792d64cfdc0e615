// Is a file a whole shared object for this machine? Checked before dlopen, which dies of half of one. Reads with pread:
// the file may change meanwhile. Any thread.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "core/error.h"

namespace hostler {

struct ElfFile {
  std::vector<std::string> needed;  // file names of the libraries it is linked with
};

struct ElfError {
  std::string what;        // what is wrong with the file, without its name
  bool cut_short = false;  // as of a file that is still being written
};

[[nodiscard]] tl::expected<ElfFile, ElfError> read_elf(int fd);

// The build id of a program or library (core/build_id.h); empty when it has none.
[[nodiscard]] Result<std::string> read_build_id(int fd);

}  // namespace hostler
