#include <hostler/plugin.h>
#include <signal.h>

HOSTLER_PLUGIN("crash_in_constructor", "1.0.0", 0);

__attribute__((constructor)) static void crash(void) {
  signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
  raise(SIGSEGV);
}

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
