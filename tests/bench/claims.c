/* One slice, claimed position by position, so many rounds of work for each. Its result is what a position took, in ps. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <hostler/plugin.h>

#include "board.h"

HOSTLER_PLUGIN("claims", "1.0.0", HOSTLER_SPLITTABLE);

HOSTLER_EXPORT int run(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  const char *text = host->param(slice, "work");
  const long work = text == NULL ? 0 : atol(text);
  const uint64_t began = board_now();
  int64_t n = slice->resume;
  for (; host->claim(slice, n, n + 1) > n; n++)
    if (work > 0)
      for (volatile long i = 0; i < work; i++) continue;
  const int64_t claims = n - slice->resume;
  char said[40];
  const int size = snprintf(said, sizeof said, "%" PRIu64 "\n", (board_now() - began) * 1000 / (uint64_t)(claims + 1));
  host->result(slice, said, size);
  return HOSTLER_DONE;
}
