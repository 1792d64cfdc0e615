// The files that a configuration names, on the disk: what core/config_builder asks. Blocking; one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/config_files.h"
#include "core/error.h"

namespace hostler {

// The whole of a regular file of at most `most` bytes. Errors have no `where`, and go on from the file's name:
// "cannot be opened: …".
[[nodiscard]] Result<std::string> read_file(const std::string &path, std::int64_t most);

// Asks the disk once for each plugin and each parent folder: lives as long as one reading of the configuration.
class DiskFiles : public ConfigFiles {
 public:
  [[nodiscard]] Result<void> check_plugin(const std::string &folder, const std::string &name) override;
  [[nodiscard]] Result<void> check_folder(const std::string &path) override;
  [[nodiscard]] Result<void> check_room_for_folder(const std::string &path) override;
  [[nodiscard]] Result<std::vector<std::string>> read_items(const std::string &path) override;
  [[nodiscard]] std::string real_path(const std::string &path) override;

 private:
  std::unordered_set<std::string> good_plugins_;
  std::unordered_map<std::string, std::string> real_folders_;
};

}  // namespace hostler
