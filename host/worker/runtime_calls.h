// The calls of hostler_host_t. C functions that the plugin calls; each looks up the runtime of this process.
#pragma once

#include <hostler/plugin.h>

namespace hostler {

class Runtime;

[[nodiscard]] Runtime *current_runtime();

// All calls that this host offers; those that it does not are NULL.
[[nodiscard]] hostler_host_t host_table();

}  // namespace hostler
