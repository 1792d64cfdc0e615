// One entry of `workers:`, from its node to EntryConfig with the defaults filled in. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/config_files.h"
#include "core/config_place.h"
#include "core/machine.h"
#include "core/yaml_node.h"

namespace hostler {

// What an entry needs to know beside its own text.
struct EntryContext {
  const HostConfig &host;
  std::int32_t processors;  // `count: auto`
  ConfigFiles &files;
  Machine &machine;
};

// An entry, and where in it what must agree with other entries stands.
struct EntryDraft {
  EntryConfig config;
  std::string name_where;
  std::string output_where;
  std::vector<std::string> depends_on_where;  // one for each
};

[[nodiscard]] Result<EntryDraft> read_entry(const Node &node, const Place &place, const EntryContext &context);
[[nodiscard]] Result<InputConfig> read_input(const Node &node, const Place &place, ConfigFiles &files);

// "workers[].name", "workers[].input.lines", …
void append_entry_keys(std::vector<std::string> &keys);
void append_input_keys(std::vector<std::string> &keys);

}  // namespace hostler
