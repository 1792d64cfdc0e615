// Builds a Config from documents: the whole of workers.yaml, an include at a time, and what the entries must agree on
// (names, outputs, dependencies). Pure: edge/config_yaml reads the files and says what they hold.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/config.h"
#include "core/config_entry.h"
#include "core/config_files.h"
#include "core/config_place.h"
#include "core/entry_memory.h"
#include "core/error.h"
#include "core/machine.h"
#include "core/yaml_node.h"

namespace hostler {

class ConfigBuilder {
 public:
  // `file` is the absolute path of workers.yaml. `files` and `machine` must outlive this.
  ConfigBuilder(std::string file, std::int32_t processors, ConfigFiles &files, Machine &machine);

  // host: comes first. Without it the defaults, below `source.folder`.
  [[nodiscard]] Result<void> read_host(const Node *host, const Source &source);
  [[nodiscard]] const HostConfig &host() const { return config_.host; }
  // One list `workers:`, in the order of the entries.
  [[nodiscard]] Result<void> add_entries(const Node &workers, const Source &source);
  // The same of a plain document; what `former` knows and is still so comes from there. `now`, if any, gets to know them.
  [[nodiscard]] Result<void> add_entries(const PlainEntries &workers, const Source &source, const FileMemory &former,
                                         FileMemory *now);
  // All is read: checks what the entries must agree on.
  [[nodiscard]] Result<Config> finish();

 private:
  [[nodiscard]] EntryContext context() const { return {config_.host, processors_, files_, machine_}; }
  [[nodiscard]] Result<void> add(EntryConfig config, const EntryMarks &marks, const Place &place);
  [[nodiscard]] Result<void> check_outputs();
  [[nodiscard]] Result<void> check_dependencies() const;

  ConfigFiles &files_;
  Machine &machine_;
  std::int32_t processors_;
  Config config_;
  std::unordered_map<std::string, std::size_t> names_;  // in config_.entries
  std::vector<std::vector<std::string>> depends_on_where_;
};

// Every key that is supported: "host.plugins", "include", "workers", "workers[].input.range.begin" …
[[nodiscard]] std::vector<std::string> supported_keys();

}  // namespace hostler
