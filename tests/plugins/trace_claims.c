/* Claims one position after the other, slowly, and notes each in the file `trace` as soon as it is granted, whatever
 * becomes of the slice; its result is "BEGIN END PID" of what it has claimed. params: trace, micros (1000, for each), while (a
 * file: slowly only as long as it is there). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <hostler/plugin.h>

HOSTLER_PLUGIN("trace_claims", "1.0.0", HOSTLER_SPLITTABLE);

int run(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  const char *trace = host->param(slice, "trace");
  const char *micros = host->param(slice, "micros");
  const char *slow = host->param(slice, "while");
  if (trace == NULL) return HOSTLER_BAD_CONFIG;
  const int fd = open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return HOSTLER_ERROR;
  const struct timespec pause = {0, 1000L * (micros == NULL ? 1000 : atol(micros))};
  int64_t n = slice->resume;
  for (; host->claim(slice, n, n + slice->unit) > n; n += slice->unit) {
    char line[32];
    const int size = snprintf(line, sizeof line, "%" PRId64 "\n", n);
    if (write(fd, line, (size_t)size) != size) return HOSTLER_ERROR;
    if (slow == NULL || access(slow, F_OK) == 0) nanosleep(&pause, NULL);
  }
  close(fd);
  char text[80];
  const int size = snprintf(text, sizeof text, "%" PRId64 " %" PRId64 " %d\n", slice->resume, n, (int)getpid());
  host->counter(slice, "numbers", n - slice->resume);
  host->result(slice, text, size);
  return HOSTLER_DONE;
}
