// A small file as text. Any thread.
#pragma once

#include <string>

namespace hostler {

// What could be read of it: less, or nothing, when it cannot be read (on), as one in /proc whose process leaves meanwhile.
// A stream's own iterators throw then.
[[nodiscard]] std::string read_text(const std::string &path);

}  // namespace hostler
