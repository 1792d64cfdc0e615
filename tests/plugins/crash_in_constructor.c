#include <hostler/plugin.h>

HOSTLER_PLUGIN("crash_in_constructor", "1.0.0", 0);

__attribute__((constructor, no_sanitize("undefined", "address"))) static void crash(void) {
  int *volatile nowhere = (int *)8;
  *nowhere = 1;
}

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
