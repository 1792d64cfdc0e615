#include <hostler/plugin.h>
#include <stdio.h>
#include <unistd.h>

HOSTLER_PLUGIN("exit_in_constructor", "1.0.0", 0);

__attribute__((constructor)) static void leave(void) {
  puts("this is nobody's");
  _exit(3);
}

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
