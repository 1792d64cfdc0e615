// Loads a plugin into this process and checks that it is one. Runs in a worker, or in the throwaway child that inspects
// a plugin; never in the host. What has been loaded is never unloaded.
#pragma once

#include <hostler/plugin.h>

#include <string>

#include <tl/expected.hpp>

namespace hostler {

struct LoadedPlugin {
  const hostler_plugin_t *about = nullptr;
  int (*run)(const hostler_slice_t *) = nullptr;
  int (*prepare)(const hostler_slice_t *) = nullptr;                     // or null
  int (*merge)(const hostler_slice_t *, hostler_results_t *) = nullptr;  // or null
};

struct LoadError {
  std::string what;      // in words for a person
  bool passing = false;  // for want of memory or descriptors: may work later
};

// `library` is loaded with all its symbols resolved and kept to itself; `name` is what it is called in words.
[[nodiscard]] tl::expected<LoadedPlugin, LoadError> load_plugin(const std::string &library, const std::string &name);

}  // namespace hostler
