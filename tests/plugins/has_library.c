/* Is linked with a library that lies beside it. */
#include <hostler/plugin.h>

HOSTLER_PLUGIN("has_library", "1.0.0", 0);

HOSTLER_EXPORT int elsewhere(void);

int run(const hostler_slice_t *slice) {
  return slice->index < 0 ? HOSTLER_ERROR : elsewhere();
}
