// One entry of `workers:`, from its node to EntryConfig with the defaults filled in. Pure.
#pragma once

#include <cstdint>
#include <optional>
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

// Where in an entry stands what may turn out to be wrong when more is known than its text; nothing: it is not given.
struct EntryMarks {
  Mark entry;
  Mark plugin;
  std::optional<Mark> name;
  std::optional<Mark> input;
  std::optional<Mark> output;
  std::vector<Mark> depends_on;  // one for each
};

// An entry, but for its places in words.
struct EntryDraft {
  EntryConfig config;
  EntryMarks marks;
};

[[nodiscard]] Result<EntryDraft> read_entry(const Node &node, const Place &place, const EntryContext &context);
[[nodiscard]] Result<InputConfig> read_input(const Node &node, const Place &place, ConfigFiles &files);

// "workers[].name", "workers[].input.lines", …
void append_entry_keys(std::vector<std::string> &keys);
void append_input_keys(std::vector<std::string> &keys);

}  // namespace hostler
