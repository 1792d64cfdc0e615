// `limits:` of an entry: what is asked for, and how far this machine can hold a worker to it. What it cannot is refused.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config_place.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/machine.h"
#include "core/yaml_node.h"

namespace hostler {

// A limit as it is asked for.
struct Asked {
  std::int64_t value = 0;
  std::string where;  // "FILE:LINE:COLUMN: workers[I].limits.memory"
  std::string text;   // as written
};

struct LimitsDraft {
  std::optional<Asked> memory;  // bytes
  std::optional<Asked> open_files;
  std::optional<Asked> cpu;  // microseconds in each kCpuPeriod
  std::optional<Asked> processes;
  std::optional<Asked> core;  // bytes
};

[[nodiscard]] Result<void> read_limits(const Node &value, const Place &place, LimitsDraft &draft);

// `user`: whom the workers run as, if not as the host.
[[nodiscard]] Result<Limits> enforceable(const LimitsDraft &draft, Machine &machine, const std::optional<User> &user);

// "workers[].limits.memory", …
void append_limits_keys(std::vector<std::string> &keys);

}  // namespace hostler
