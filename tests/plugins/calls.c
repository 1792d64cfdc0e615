/* Tries the rules of plugin.h from the inside and fails with the first that is broken. A job of RANGE, or a service. */
#include <errno.h>
#include <hostler/plugin.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

HOSTLER_PLUGIN("calls", "1.0.0", 0);

#define EXPECT(condition)                                                          \
  do {                                                                             \
    if (!(condition)) {                                                            \
      char words[256];                                                             \
      snprintf(words, sizeof words, "line %d: expected %s", __LINE__, #condition); \
      slice->host->fail(slice, words);                                             \
      return HOSTLER_ERROR;                                                        \
    }                                                                              \
  } while (0)

static int has_room(const void *what, size_t size) {
  const unsigned char *bytes = (const unsigned char *)what;
  for (size_t i = size; i < HOSTLER_STRUCT_ROOM; i++)
    if (bytes[i] != 0) return 0;
  return 1;
}

static int everywhere(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  EXPECT(slice->struct_size == sizeof *slice && has_room(slice, sizeof *slice));
  EXPECT(host->struct_size == sizeof *host && has_room(host, sizeof *host));
  EXPECT(strcmp(slice->worker, "entry") == 0);
  EXPECT(host->checkpoint != NULL && host->skip != NULL && host->extension == NULL);
  EXPECT(host->at(slice, 7) == 0 && host->heartbeat(slice) == 0);
  EXPECT(host->progress(slice, 1, 0) == 0 && host->progress(slice, -1, 0) == -EINVAL);
  EXPECT(host->should_stop(slice) == HOSTLER_GO_ON);
  EXPECT(host->stop_fd(slice) >= 0 && host->stop_fd(slice) == host->stop_fd(slice));
  EXPECT(strcmp(host->param(slice, "key"), "value") == 0 && host->param(slice, "no such key") == NULL);
  EXPECT(host->param(slice, NULL) == NULL);
  EXPECT(host->log(slice, HOSTLER_LOG_INFO, "words", 5) == 0 && host->log(slice, 4, "words", 5) == -EINVAL);
  EXPECT(host->log(slice, HOSTLER_LOG_INFO, NULL, 1) == -EINVAL && host->log(slice, 0, "", 0) == 0);
  EXPECT(host->fail(slice, NULL) == -EINVAL && host->fail(slice, "") == 0);
  EXPECT(host->ready(slice) == 0 && host->ready(slice) == 0);
  return HOSTLER_DONE;
}

static int as_service(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  EXPECT(slice->kind == HOSTLER_NONE && slice->index == 2 && slice->count == 5 && slice->attempt == 1);
  EXPECT(slice->job_id != NULL && *slice->job_id == '\0');
  EXPECT(host->claim(slice, 0, 1) == 0);
  EXPECT(host->output(slice, "file") == -EPERM && host->result(slice, "x", 1) == -EPERM);
  EXPECT(host->counter(slice, "name", 1) == -EPERM);
  EXPECT(host->checkpoint(slice, 1, NULL, 0) == -EPERM && host->skip(slice, 0, 1, "bad") == -EPERM);
  EXPECT(host->count(slice) == 5);
  return HOSTLER_DONE;
}

static int claims(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  const int64_t begin = slice->begin;
  const int64_t end = slice->end;
  EXPECT(end - begin == 10);
  EXPECT(host->claim(slice, begin + 1, begin + 2) == -EINVAL);
  EXPECT(host->claim(slice, begin, begin) == -EINVAL && host->claim(slice, begin, begin - 1) == -EINVAL);
  EXPECT(host->claim(slice, begin, begin + 3) == begin + 3);
  EXPECT(host->claim(slice, begin, begin + 3) == -EINVAL);
  EXPECT(host->claim(slice, begin + 3, begin + 3) == -EINVAL && host->claim(slice, begin + 3, begin) == -EINVAL);
  EXPECT(host->claim(slice, begin + 3, begin + 4) == begin + 4);
  EXPECT(host->claim(slice, begin + 4, end + 1000) == end);
  EXPECT(host->claim(slice, end, end + 1) == end && host->claim(slice, end, INT64_MAX) == end);
  return HOSTLER_DONE;
}

static int outputs(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  char name[HOSTLER_MAX_OUTPUT_NAME + 2];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  EXPECT(host->output(slice, name) == -EMSGSIZE);
  EXPECT(host->output(slice, name + 1) >= 0);
  EXPECT(host->output(slice, "") == -EINVAL && host->output(slice, NULL) == -EINVAL);
  EXPECT(host->output(slice, ".") == -EINVAL && host->output(slice, "..") == -EINVAL);
  EXPECT(host->output(slice, "a/b") == -EINVAL && host->output(slice, "/etc/passwd") == -EINVAL);
  const int fd = host->output(slice, "file");
  EXPECT(fd >= 0 && host->output(slice, "file") == fd);
  EXPECT(write(fd, "text\n", 5) == 5);
  return HOSTLER_DONE;
}

static int results_and_counters(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  EXPECT(host->result(slice, NULL, 1) == -EINVAL && host->result(slice, "x", -1) == -EINVAL);
  EXPECT(host->result(slice, "x", HOSTLER_MAX_RESULT + (int64_t)1) == -EMSGSIZE);
  EXPECT(host->result(slice, "first", 5) == 0 && host->result(slice, "last", 4) == 0);
  char name[HOSTLER_MAX_COUNTER_NAME + 2];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = '\0';
  EXPECT(host->counter(slice, name, 1) == -EMSGSIZE && host->counter(slice, name + 1, 1) == 0);
  EXPECT(host->counter(slice, "", 1) == -EINVAL && host->counter(slice, NULL, 1) == -EINVAL);
  EXPECT(host->counter(slice, "sum", 40) == 0 && host->counter(slice, "sum", 2) == 0);
  EXPECT(host->counter(slice, "large", INT64_MAX) == 0 && host->counter(slice, "large", 1) == -EOVERFLOW);
  for (int i = 0; i < HOSTLER_MAX_COUNTERS - 3; i++) {
    snprintf(name, sizeof name, "c%d", i);
    EXPECT(host->counter(slice, name, i) == 0);
  }
  EXPECT(host->counter(slice, "one more", 1) == -EMSGSIZE && host->counter(slice, "sum", 0) == 0);
  return HOSTLER_DONE;
}

/* After claims(): all is granted. What is refused changes nothing, and the host hears of none of it. */
static int segments(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  const int64_t begin = slice->begin;
  const int64_t end = slice->end;
  EXPECT(host->checkpoint(slice, begin, "x", 1) == -EINVAL && host->checkpoint(slice, end + 1, "x", 1) == -EINVAL);
  EXPECT(host->checkpoint(slice, end, NULL, 1) == -EINVAL && host->checkpoint(slice, end, "x", -1) == -EINVAL);
  EXPECT(host->checkpoint(slice, end, "x", HOSTLER_MAX_CHECKPOINT + (int64_t)1) == -EMSGSIZE);
  EXPECT(host->skip(slice, begin, begin, "bad") == -EINVAL && host->skip(slice, begin - 1, begin, "bad") == -EINVAL);
  EXPECT(host->skip(slice, end - 1, end + 1, "bad") == -EINVAL && host->skip(slice, begin, end, NULL) == -EINVAL);
  EXPECT(host->skip(slice, begin + 2, begin + 4, "bad") == 0);
  EXPECT(host->skip(slice, begin + 2, begin + 4, "again") == 0); /* it is put aside already */
  EXPECT(host->skip(slice, begin + 3, begin + 5, "bad") == -EINVAL && host->skip(slice, begin, end, "") == -EINVAL);
  return HOSTLER_DONE;
}

static int as_job(const hostler_slice_t *slice) {
  EXPECT(slice->kind == HOSTLER_RANGE && slice->path == NULL && slice->items == NULL && slice->unit == 1);
  EXPECT(slice->resume == slice->begin && slice->checkpoint == NULL && slice->checkpoint_size == 0);
  EXPECT(strcmp(slice->job_id, "job-1") == 0 && slice->host->count(slice) == slice->count);
  EXPECT(slice->host->skip(slice, slice->end - 1, slice->end + 1, "bad") == -EINVAL);
  if (claims(slice) != HOSTLER_DONE || segments(slice) != HOSTLER_DONE) return HOSTLER_ERROR;
  if (outputs(slice) != HOSTLER_DONE) return HOSTLER_ERROR;
  return results_and_counters(slice);
}

int prepare(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  EXPECT(slice->kind == HOSTLER_NONE);
  EXPECT(strcmp(host->param(slice, "key"), "value") == 0 && host->log(slice, 0, "prepare", 7) == 0);
  EXPECT(host->claim(slice, 0, 1) == -EPERM && host->heartbeat(slice) == -EPERM && host->at(slice, 0) == -EPERM);
  EXPECT(host->progress(slice, 0, 0) == -EPERM && host->should_stop(slice) == -EPERM);
  EXPECT(host->stop_fd(slice) == -EPERM && host->output(slice, "x") == -EPERM && host->ready(slice) == -EPERM);
  EXPECT(host->result(slice, "x", 1) == -EPERM && host->counter(slice, "x", 1) == -EPERM);
  EXPECT(host->checkpoint(slice, 1, NULL, 0) == -EPERM && host->skip(slice, 0, 1, "bad") == -EPERM);
  EXPECT(host->count(slice) == -EPERM);
  return HOSTLER_DONE;
}

int run(const hostler_slice_t *slice) {
  const int common = everywhere(slice);
  if (common != HOSTLER_DONE) return common;
  return slice->kind == HOSTLER_NONE ? as_service(slice) : as_job(slice);
}
