// What /proc tells of processes. Any thread.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace hostler {

// Of proc_pid_stat(5).
struct ProcessStat {
  char state = 0;  // 'R', 'T', 'Z' ...; 'Z' also when only the main thread has left
  pid_t parent = 0;
  unsigned flags = 0;  // PF_ of linux/sched.h
  long threads = 0;
};

// Nothing when there is none of this number, or it is not to be seen from here.
[[nodiscard]] std::optional<ProcessStat> read_process_stat(pid_t pid);

// The names in a folder that are numbers, as those of processes and descriptors are; none when it cannot be read.
[[nodiscard]] std::vector<int> numbers_in(const std::string &folder);

}  // namespace hostler
