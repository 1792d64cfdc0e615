#include <hostler/plugin.h>

HOSTLER_EXPORT int elsewhere(void);

/* Some library's own function that happens to be called run. */
int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : HOSTLER_ERROR;
}

int elsewhere(void) {
  return HOSTLER_DONE;
}
