// Loads a plugin in a process of its own, which may crash or hang, and tells what it found there. Blocking.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "core/error.h"
#include "core/machine.h"
#include "core/plugin_facts.h"
#include "core/time.h"

namespace hostler {

// `binary` is run as `hostler __inspect LIBRARY`; the plugin is loaded as `user`, if it is not the host's. Errors say what happened, without the plugin's name; a plugin that
// cannot be loaded is one, and so is a stop asked for meanwhile.
[[nodiscard]] Result<PluginFacts> inspect_plugin(const std::string &binary, const std::string &library,
                                                 const std::optional<User> &user, Duration time_limit,
                                                 const std::stop_token &stop);

}  // namespace hostler
