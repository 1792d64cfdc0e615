#include "edge/own_title.h"

#include <unistd.h>
#include <cerrno>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

namespace hostler {

void set_own_title(std::string_view title) {
  std::ifstream file("/proc/self/cmdline");
  const std::string arguments(std::istreambuf_iterator<char>(file), {});
  char *const begin = program_invocation_name;
  if (arguments.empty() || arguments != std::string_view(begin, arguments.size())) return;
  char *end = begin + arguments.size();
  for (char **variable = environ; variable != nullptr && *variable == end; ++variable) {
    char *moved = ::strdup(*variable);  // for as long as the process lives
    if (moved == nullptr) break;
    end += std::strlen(*variable) + 1;
    *variable = moved;
  }
  const auto room = static_cast<std::size_t>(end - begin);
  std::memset(begin, 0, room);
  std::memcpy(begin, title.data(), std::min(title.size(), room - 1));
}

}  // namespace hostler
