/* Exports no run() of its own, but is linked with a library that does. */
#include <hostler/plugin.h>

HOSTLER_PLUGIN("run_elsewhere", "1.0.0", 0);
