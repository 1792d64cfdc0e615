// What the inspection of a plugin found, and its form on the way from the throwaway child to the host and in the store:
// lines "KEY VALUE", the last one "end", so that a child that died half-way is noticed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"

namespace hostler {

struct PluginFacts {
  std::string id;
  std::string version;
  std::string abi;  // "1.0"
  std::int64_t flags = 0;
  std::int64_t state_version = 0;
  bool has_prepare = false;
  bool has_merge = false;
  std::string error;        // why it cannot be loaded; all else but the next is meaningless then
  bool is_passing = false;  // … for want of memory, descriptors or processes: it may load later
  bool operator==(const PluginFacts &) const = default;
};

// Control characters in the texts become spaces.
[[nodiscard]] std::string format_facts(const PluginFacts &facts);
[[nodiscard]] Result<PluginFacts> parse_facts(std::string_view text);

}  // namespace hostler
