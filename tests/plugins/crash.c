/* Crashes whenever it is run, by a real bad access, in a function whose name in C++ would be the mangled one of a type. */
#include <hostler/plugin.h>

HOSTLER_PLUGIN("crash", "1.0.0", 0);

__attribute__((noinline, no_sanitize("undefined", "address"))) static int f(const volatile int *where) {
  return *where;
}

int run(const hostler_slice_t *slice) {
  return f(slice == 0 ? &slice->kind : (const volatile int *)8);
}
