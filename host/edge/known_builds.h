// What a plugin store has looked at itself, by the plugin's path, as long as no file that the build depended on has changed:
// without it every plugin would be read at every reload. Any thread.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/plan.h"

namespace hostler {

[[nodiscard]] bool is_same_file(const struct stat &a, const struct stat &b);
// How long ago the file changed last, by the change time, which cannot be set by hand.
[[nodiscard]] std::chrono::nanoseconds age(const struct stat &status);

// A file as it was when it was read, or that it was not there.
class Sight {
 public:
  explicit Sight(std::string path) : path_(std::move(path)) {}
  // `age`: when it was read.
  Sight(std::string path, const struct stat &status, std::chrono::nanoseconds age);
  // By what stat says; false if that is not enough to tell.
  [[nodiscard]] bool is_unchanged() const;

 private:
  std::string path_;
  bool there_ = false;
  bool settled_ = true;
  struct stat status_ {};
};

struct KnownBuild {
  std::string plugin_hash;  // of the plugin's own file
  Build build;
  std::vector<Sight> sights;  // of all files that it depended on
};

class KnownBuilds {
 public:
  // Nothing, too, when the copy in the store is gone.
  [[nodiscard]] std::optional<KnownBuild> find(const std::string &plugin) const;
  void remember(const std::string &plugin, KnownBuild known);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, KnownBuild> builds_;
};

}  // namespace hostler
