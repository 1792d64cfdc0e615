/* A job that does nothing, as fast as it can. */
#include <hostler/plugin.h>

HOSTLER_PLUGIN("nothing", "1.0.0", HOSTLER_SPLITTABLE);

int run(const hostler_slice_t *slice) {
  return slice->end < slice->begin ? HOSTLER_ERROR : HOSTLER_DONE;
}
