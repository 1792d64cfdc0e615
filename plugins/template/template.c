/* The smallest correct plugin: it adds up the numbers of its slice. Copy this folder and change what is between the
 * claims. */
#include <hostler/plugin.h>
#include <inttypes.h>
#include <stdio.h>

HOSTLER_PLUGIN("template", "1.0.0", HOSTLER_SPLITTABLE);

int run(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  if (slice->kind != HOSTLER_RANGE) {
    host->fail(slice, "template needs 'input: {range: {begin: 0, end: 1000}}'");
    return HOSTLER_BAD_CONFIG;
  }

  int64_t sum = 0;
  for (int64_t n = slice->resume; host->claim(slice, n, n + 1) > n; n++) sum += n;

  char text[32];
  const int size = snprintf(text, sizeof text, "%" PRId64 "\n", sum);
  if (host->counter(slice, "sum", sum) < 0 || host->result(slice, text, size) < 0) {
    host->fail(slice, "the host did not take the result");
    return HOSTLER_ERROR;
  }
  return HOSTLER_DONE;
}
