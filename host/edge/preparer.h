// From a configuration to entries that are ready to run: each plugin in the store and inspected, each job's input
// listed and its output looked at. Blocking, for as long as plugins and folders take; not for the supervisor's thread.
// Changes nothing but the store.
#pragma once

#include <stop_token>

#include "core/config.h"
#include "core/error.h"
#include "core/plan.h"
#include "edge/plugin_store.h"

namespace hostler {

// All entries or the first error; where = "FILE:LINE:COLUMN: workers[I].KEY". The order of the entries is kept.
// A stop asked for meanwhile is an error, soon.
[[nodiscard]] Result<Prepared> prepare(Config config, const PluginStore &store, const std::stop_token &stop = {});

}  // namespace hostler
