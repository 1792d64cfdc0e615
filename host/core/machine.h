// What of a configuration depends on the machine and on who runs the host: the seam between core/config_builder and the
// kernel. edge/this_machine has the real one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"

namespace hostler {

// Whom workers run as. Numbers, so that a worker needs no name service.
struct User {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // all that it is a member of
  std::string home;
  bool operator==(const User &) const = default;
};

// How far a worker can be held to limits here.
struct Powers {
  std::uint32_t uid = 0;             // the host's own
  bool root = false;                 // it may become anybody
  std::int64_t most_open_files = 0;  // to what a worker's limits may be set
  std::int64_t most_core = 0;        // bytes
  bool groups = false;               // a worker can have a cgroup of its own, and be killed by it
  bool group_memory = false;         // … and be held to memory, processors and processes in it
  bool group_cpu = false;
  bool group_processes = false;
  std::string no_groups;  // why not all of that, in words
};

class Machine {
 public:
  Machine() = default;
  virtual ~Machine() = default;
  Machine(const Machine &) = delete;
  Machine &operator=(const Machine &) = delete;

  // Looked up when it is first asked for.
  [[nodiscard]] virtual const Powers &powers() = 0;
  // By name, or by a number that has a name. An error has no `where`.
  [[nodiscard]] virtual Result<User> find_user(const std::string &name) = 0;
};

}  // namespace hostler
