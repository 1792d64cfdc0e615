/* Crashes whenever it is run, by a real bad access. */
#include <hostler/plugin.h>

HOSTLER_PLUGIN("crash", "1.0.0", 0);

__attribute__((noinline, no_sanitize_undefined, no_sanitize_address)) static int read_from(const volatile int *where) {
  return *where;
}

int run(const hostler_slice_t *slice) {
  return read_from(slice == 0 ? &slice->kind : (const volatile int *)8);
}
