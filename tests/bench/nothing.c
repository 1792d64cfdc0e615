/* A slice that does nothing. With a parameter, it leaves a result and a counter. */
#include <hostler/plugin.h>

HOSTLER_PLUGIN("nothing", "1.0.0", HOSTLER_SPLITTABLE);

HOSTLER_EXPORT int run(const hostler_slice_t *slice) {
  if (slice->host->param(slice, "leaves") == NULL) return HOSTLER_DONE;
  slice->host->result(slice, "sixteen bytes!!!", 16);
  slice->host->counter(slice, "n", 1);
  return HOSTLER_DONE;
}
