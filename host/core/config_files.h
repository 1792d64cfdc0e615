// What reading the configuration wants to know of the files that it names: the seam between core/config_builder and the
// disk. edge/config_yaml has the real one. Errors have no `where`: the reader knows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace hostler {

class ConfigFiles {
 public:
  ConfigFiles() = default;
  virtual ~ConfigFiles() = default;
  ConfigFiles(const ConfigFiles &) = delete;
  ConfigFiles &operator=(const ConfigFiles &) = delete;

  // A regular file that can be read. `name` is the plugin as the user wrote it.
  [[nodiscard]] virtual Result<void> check_plugin(const std::string &folder, const std::string &name) = 0;
  [[nodiscard]] virtual Result<void> check_folder(const std::string &path) = 0;
  // A folder is there, or can be made: no part of the path is something else.
  [[nodiscard]] virtual Result<void> check_room_for_folder(const std::string &path) = 0;
  // One item a line; a line loses its \n and nothing else.
  [[nodiscard]] virtual Result<std::vector<std::string>> read_items(const std::string &path) = 0;
  // Without symbolic links and .., as far as it exists.
  [[nodiscard]] virtual std::string real_path(const std::string &path) = 0;
};

}  // namespace hostler
