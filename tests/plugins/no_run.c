#include <hostler/plugin.h>

HOSTLER_PLUGIN("no_run", "1.0.0", 0);
