#include <hostler/plugin.h>

const hostler_plugin_t hostler_plugin = {
    HOSTLER_MAGIC, sizeof(hostler_plugin_t), HOSTLER_ABI_MAJOR, HOSTLER_ABI_MINOR + 1, 0, 0, "newer_minor", "1.0.0"};

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
