/* While it is loaded it makes the file that HOSTLER_TEST_WHO names: its owner is whoever loads it. */
#include <fcntl.h>
#include <hostler/plugin.h>
#include <stdlib.h>
#include <unistd.h>

HOSTLER_PLUGIN("who_loads", "1.0.0", 0);

__attribute__((constructor)) static void leave_a_mark(void) {
  const char *path = getenv("HOSTLER_TEST_WHO");
  if (path != NULL) close(open(path, O_WRONLY | O_CREAT, 0644));
}

int run(const hostler_slice_t *slice) {
  (void)slice;
  return HOSTLER_DONE;
}
