/* A slice that does nothing. By `leaves` it leaves all: a result and a counter, or a counter alone, or trouble: one in 2000
 * fails at first. */
#include <hostler/plugin.h>
#include <string.h>

HOSTLER_PLUGIN("nothing", "1.0.0", HOSTLER_SPLITTABLE);

HOSTLER_EXPORT int run(const hostler_slice_t *slice) {
  const char *leaves = slice->host->param(slice, "leaves");
  if (leaves == NULL) return HOSTLER_DONE;
  if (strcmp(leaves, "trouble") == 0)
    return slice->attempt == 1 && slice->begin * 7919 % 2000 == 0 ? HOSTLER_ERROR : HOSTLER_DONE;
  if (strcmp(leaves, "all") == 0) slice->host->result(slice, "sixteen bytes!!!", 16);
  slice->host->counter(slice, "n", 1);
  return HOSTLER_DONE;
}
