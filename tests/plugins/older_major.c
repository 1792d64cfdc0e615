#include <hostler/plugin.h>

const hostler_plugin_t hostler_plugin = {HOSTLER_MAGIC, sizeof(hostler_plugin_t), 0, 1, 0, 0, "older_major", "1.0.0"};

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
