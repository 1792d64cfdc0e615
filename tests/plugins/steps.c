/* Does all that a slice of numbers can do, and looks for a file that there is not at each step, "/step/NAME/POSITION", for
 * who has preloaded tests/faults/faults.c to meet it there: claims one number after the other, writes each into a file,
 * counts it, and leaves a result; its merge makes one file and one result of them all. params: checkpoint (after so many
 * numbers). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <hostler/plugin.h>

HOSTLER_PLUGIN("steps", "1.0.0", HOSTLER_SPLITTABLE);

static void step(const char *name, int64_t position) {
  char path[64];
  struct stat nothing;
  snprintf(path, sizeof path, "/step/%s/%" PRId64, name, position);
  (void)stat(path, &nothing);
}

/* What may pass is tried again later. */
static int failed(const hostler_slice_t *slice, const char *what, int error) {
  char words[200];
  snprintf(words, sizeof words, "%s: %s", what, strerror(error));
  slice->host->fail(slice, words);
  return error == ENOSPC || error == EIO || error == EMFILE || error == ENFILE ? HOSTLER_RETRY_LATER : HOSTLER_ERROR;
}

static int write_line(int fd, const char *line) {
  const ssize_t size = (ssize_t)strlen(line);
  errno = EIO; /* when it is only half */
  return write(fd, line, (size_t)size) == size ? 0 : errno;
}

int run(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  const struct timespec pause = {0, 500000};
  const char *param = host->param(slice, "checkpoint");
  const int64_t every = param == NULL ? 0 : atol(param);
  int64_t n = slice->resume;
  int64_t last = 0;
  if (n > slice->begin &&
      (slice->checkpoint_size != sizeof last || (memcpy(&last, slice->checkpoint, sizeof last), last + 1 != n)))
    return HOSTLER_BAD_CONFIG; /* that is not what was saved */
  step("begun", n);
  const int fd = host->output(slice, "numbers");
  if (fd < 0) return failed(slice, "numbers", -fd);
  for (; host->claim(slice, n, n + 1) > n; n++) {
    step("claimed", n);
    char line[32];
    snprintf(line, sizeof line, "%" PRId64 "\n", n);
    const int error = write_line(fd, line);
    if (error != 0) return failed(slice, "numbers", error);
    step("written", n);
    host->counter(slice, "numbers", 1);
    host->counter(slice, "sum", n);
    nanosleep(&pause, NULL);
    if (every == 0 || (n + 1) % every != 0) continue;
    step("checkpoint", n + 1);
    const int unsaved = host->checkpoint(slice, n + 1, &n, sizeof n);
    if (unsaved != 0) return failed(slice, "checkpoint", -unsaved);
    step("checkpointed", n + 1);
  }
  char text[64];
  const int size = snprintf(text, sizeof text, "%" PRId64 " %" PRId64 "\n", slice->begin, n);
  host->result(slice, text, size);
  step("counted", n);
  return HOSTLER_DONE;
}

int merge(const hostler_slice_t *slice, hostler_results_t *results) {
  const hostler_host_t *host = slice->host;
  step("merge", 0);
  const int fd = host->output(slice, "summary");
  if (fd < 0) return failed(slice, "summary", -fd);
  int64_t end = 0;
  hostler_range_t range;
  memset(&range, 0, sizeof range);
  range.struct_size = sizeof range;
  while (results->next(results, &range) == 1) {
    if (range.begin != end) return HOSTLER_ERROR;
    end = range.end;
  }
  char text[128];
  const int size = snprintf(text, sizeof text, "to %" PRId64 ": %" PRId64 " numbers, sum %" PRId64 "\n", end,
                            results->counter(results, "numbers"), results->counter(results, "sum"));
  const int error = write_line(fd, text);
  if (error != 0) return failed(slice, "summary", error);
  step("merge-written", 0);
  host->result(slice, text, size);
  return HOSTLER_DONE;
}
