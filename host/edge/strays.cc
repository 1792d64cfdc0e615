#include "edge/strays.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>

#include <fmt/format.h>

namespace hostler {

void become_subreaper() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // cannot fail
}

std::vector<pid_t> own_children() {
  std::ifstream file(fmt::format("/proc/self/task/{}/children", ::gettid()));
  std::vector<pid_t> children;
  for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  return children;
}

}  // namespace hostler
