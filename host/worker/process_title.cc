#include "worker/process_title.h"

#include <algorithm>
#include <cstring>

namespace hostler {

ProcessTitle::ProcessTitle(int argc, char **argv) {
  if (argc == 0) return;
  begin_ = argv[0];
  for (int i = 0; i < argc && argv[i] == begin_ + room_; ++i) room_ += std::strlen(argv[i]) + 1;
}

void ProcessTitle::set(std::string_view title) {
  if (room_ == 0) return;
  std::memset(begin_, 0, room_);
  std::memcpy(begin_, title.data(), std::min(title.size(), room_ - 1));
}

}  // namespace hostler
