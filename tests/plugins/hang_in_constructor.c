#include <hostler/plugin.h>
#include <unistd.h>

HOSTLER_PLUGIN("hang_in_constructor", "1.0.0", 0);

__attribute__((constructor)) static void hang(void) {
  for (;;) pause();
}

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
