// What ps shows as the command line of this process: the memory of argv. What stands behind it, the environment, moves
// away first, so that a long title has room.
#pragma once

#include <string_view>

namespace hostler {

// To be called while the process has one thread; what getenv() returned before is no longer good. Without a word when it
// cannot be done: then ps shows what it showed.
void set_own_title(std::string_view title);

}  // namespace hostler
