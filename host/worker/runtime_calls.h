// The calls of hostler_host_t: C functions that the plugin calls; each works on the runtime of this process.
#pragma once

#include <hostler/plugin.h>

namespace hostler {

class Runtime;

// The runtime of this process, for the plugin's calls and the stop signal's handler: both reach us through C, without a
// pointer of ours. Only the runtime itself sets it.
[[gnu::visibility("hidden")]] extern constinit Runtime *the_runtime;

// All calls that this host offers; those that it does not are NULL.
[[nodiscard]] hostler_host_t host_table();

}  // namespace hostler
