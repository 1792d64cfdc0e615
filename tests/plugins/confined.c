/* Looks at what it is held to.
 *
 *   do: tell    writes into `file`, a line each: uid, gid, groups, parent-death signal, dumpable, limits, HOME; then waits
 *   do: eat     takes `bytes` of memory and touches them; without them: fail("no memory") and HOSTLER_ERROR
 *   do: open    opens as many files as it may, and writes their number into `file`
 *   do: output  (jobs) writes its uid into the output "uid"
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <hostler/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

HOSTLER_PLUGIN("confined", "1.0.0", 0);

static void write_limit(FILE *file, const char *name, int resource) {
  struct rlimit limit;
  getrlimit((__rlimit_resource_t)resource, &limit);
  fprintf(file, "%s %lld\n", name, limit.rlim_cur == RLIM_INFINITY ? -1LL : (long long)limit.rlim_cur);
}

static void tell(const char *path) {
  char other[4096];
  gid_t groups[64];
  int death_signal = 0;
  snprintf(other, sizeof other, "%s.new", path);
  FILE *file = fopen(other, "w");
  if (file == NULL) abort();
  const int count = getgroups(64, groups);
  prctl(PR_GET_PDEATHSIG, &death_signal);
  fprintf(file, "pid %d\nuid %d %d\ngid %d %d\ngroups", (int)getpid(), (int)getuid(), (int)geteuid(), (int)getgid(),
          (int)getegid());
  for (int i = 0; i < count; ++i) fprintf(file, " %d", (int)groups[i]);
  fprintf(file, "\ndeath %d\ndumpable %d\n", death_signal, prctl(PR_GET_DUMPABLE));
  write_limit(file, "open_files", RLIMIT_NOFILE);
  write_limit(file, "core", RLIMIT_CORE);
  write_limit(file, "memory", RLIMIT_AS);
  write_limit(file, "processes", RLIMIT_NPROC);
  fprintf(file, "home %s\n", getenv("HOME") == NULL ? "" : getenv("HOME"));
  if (fclose(file) != 0 || rename(other, path) != 0) abort();
}

static int eat(const hostler_slice_t *slice, long long bytes) {
  char *memory = malloc((size_t)bytes);
  if (memory == NULL) {
    slice->host->fail(slice, "no memory");
    return HOSTLER_ERROR;
  }
  for (long long i = 0; i < bytes; i += 4096) ((volatile char *)memory)[i] = 1;
  return HOSTLER_DONE;
}

static int count_files(const char *path) {
  int most = 0;
  int fds[4096];
  while (most < 4096 && (fds[most] = open("/dev/null", O_RDONLY)) >= 0) ++most;
  const int highest = most > 0 ? fds[most - 1] : -1;
  for (int i = 0; i < most; ++i) close(fds[i]);
  FILE *file = fopen(path, "w");
  if (file == NULL) abort();
  fprintf(file, "%d\n", highest);
  return fclose(file) == 0 ? HOSTLER_DONE : HOSTLER_ERROR;
}

static int write_output(const hostler_slice_t *slice) {
  const int fd = slice->host->output(slice, "uid");
  if (fd < 0) return HOSTLER_ERROR;
  return dprintf(fd, "%d\n", (int)geteuid()) > 0 ? HOSTLER_DONE : HOSTLER_ERROR;
}

int run(const hostler_slice_t *slice) {
  const char *what = slice->host->param(slice, "do");
  const char *path = slice->host->param(slice, "file");
  if (strcmp(what, "eat") == 0) return eat(slice, atoll(slice->host->param(slice, "bytes")));
  if (strcmp(what, "open") == 0) return count_files(path);
  if (strcmp(what, "output") == 0) return write_output(slice);
  tell(path);
  while (slice->host->should_stop(slice) == HOSTLER_GO_ON) usleep(1000);
  return HOSTLER_DONE;
}
