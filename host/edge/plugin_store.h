// The content-addressed store of plugins: STATE/store/HASH/NAME.so. Workers load from here, so the plugins folder may be
// overwritten at any time. Blocking; not for the supervisor's thread. Several threads may use one store.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/error.h"
#include "core/machine.h"
#include "core/plan.h"
#include "core/time.h"
#include "edge/known_builds.h"

namespace hostler {

class PluginStore {
 public:
  // `store_dir` is made when missing. `binary` runs the inspection in a process of its own (normally /proc/self/exe).
  PluginStore(std::string store_dir, std::string binary, Duration time_limit = std::chrono::seconds(10));

  // Checks that `plugin` is a whole ELF shared object for this machine, waits while it is still being written (bounded),
  // copies it with the libraries of its own beside it ($ORIGIN), compares the pin when there is one (sha256 of the
  // plugin file), and inspects the copy in a throwaway child: loads it, reads hostler_plugin, checks ABI, `run`; as
  // `user`, if it is not the host's. A build that has been inspected before is not inspected again, and files that have
  // not changed since this store copied them are not read again. Errors name the plugin and what to do; a stop asked for
  // meanwhile is one.
  [[nodiscard]] Result<Build> add(const std::string &plugin, const std::string &sha256_pin,
                                  const std::optional<User> &user = {}, const std::stop_token &stop = {}) const;
  // Removes what a process that died left half made. Only while nobody else uses the store.
  void clear_workshops() const;

 private:
  std::string store_dir_;
  std::string binary_;
  Duration time_limit_;
  std::unique_ptr<KnownBuilds> known_;  // locks itself
};

}  // namespace hostler
