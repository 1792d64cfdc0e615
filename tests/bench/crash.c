/* Crashes at once. */
#include <hostler/plugin.h>
#include <stdlib.h>

HOSTLER_PLUGIN("crash", "1.0.0", 0);

HOSTLER_EXPORT int run(const hostler_slice_t *slice) {
  (void)slice;
  abort();
}
