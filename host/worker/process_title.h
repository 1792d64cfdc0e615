// What ps shows as our command line: the memory of argv, rewritten. A template is started with room to spare there.
#pragma once

#include <cstddef>
#include <string_view>

namespace hostler {

class ProcessTitle {
 public:
  ProcessTitle(int argc, char **argv);
  // Cut at the room there is.
  void set(std::string_view title);

 private:
  char *begin_ = nullptr;
  std::size_t room_ = 0;
};

}  // namespace hostler
