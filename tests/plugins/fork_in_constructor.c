#include <hostler/plugin.h>
#include <unistd.h>

HOSTLER_PLUGIN("fork_in_constructor", "1.0.0", 0);

/* The child keeps every descriptor, and would stay for ever. */
__attribute__((constructor)) static void leave_a_child(void) {
  if (fork() == 0)
    for (;;) pause();
}

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_DONE;
}
