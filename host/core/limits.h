// What a worker of an entry with `limits:` is held to, in the terms of the kernel: by the limits of a process, which it
// sets for itself before it loads its plugin, and by a cgroup of its own, which the host puts it into before GO.
#pragma once

#include <cstdint>

namespace hostler {

struct Limits {  // -1: none
  // Of each process of the worker.
  std::int64_t open_files = -1;
  std::int64_t core = -1;            // bytes
  std::int64_t address_space = -1;   // bytes
  std::int64_t user_processes = -1;  // processes and threads of the worker's user, all over the machine

  // Of the worker and all that it starts together.
  bool group = false;           // it has a cgroup: what follows, and nothing in it outlives the worker
  std::int64_t memory = -1;     // bytes
  std::int64_t processes = -1;  // and threads
  std::int64_t cpu = -1;        // microseconds of processor time in each kCpuPeriod

  [[nodiscard]] bool of_processes() const {
    return open_files >= 0 || core >= 0 || address_space >= 0 || user_processes >= 0;
  }
  bool operator==(const Limits &) const = default;
};

inline constexpr std::int64_t kCpuPeriod = 100'000;  // microseconds

}  // namespace hostler
