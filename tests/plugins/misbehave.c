/* Does what its parameters say, service or job.
 *
 *   do            what to do, see the table below; without it, nothing
 *   at_index      only in the slice (or instance) of this index; the others just return
 *   fails         only in the first so many attempts
 *   code, reason  for do: return, do: exit and do: fill_output
 *   count         for do: print; of do: fill_output: bytes, as many as there is room for without it
 *   prepare       what prepare() returns, or what it does: hang, close_everything, exit
 *   file          for those that write a pid there
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <hostler/plugin.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

HOSTLER_PLUGIN("misbehave", "1.0.0", 0);

static int64_t number(const hostler_slice_t *slice, const char *key, int64_t otherwise) {
  const char *text = slice->host->param(slice, key);
  return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

/* `path` may be NULL. */
static void write_pid_to(const char *path, int pid) {
  if (path == NULL) return;
  char text[32];
  const int size = snprintf(text, sizeof text, "%d\n", pid);
  char other[4096];
  snprintf(other, sizeof other, "%s.new", path);
  const int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, text, (size_t)size) != size || rename(other, path) != 0) abort();
  close(fd);
}

static void write_pid(const hostler_slice_t *slice, int pid) {
  write_pid_to(slice->host->param(slice, "file"), pid);
}

static void wait_for_ever(void) {
  for (;;) pause();
}

static int kill_by_null(const hostler_slice_t *slice) {
  (void)slice;
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
  return HOSTLER_DONE;
}

static int kill_by_abort(const hostler_slice_t *slice) {
  (void)slice;
  abort();
}

static int kill_itself(const hostler_slice_t *slice) {
  (void)slice;
  raise(SIGKILL);
  return HOSTLER_DONE;
}

static int leave(const hostler_slice_t *slice) {
  exit((int)number(slice, "code", 3));
}

static int give_back(const hostler_slice_t *slice) {
  const char *reason = slice->host->param(slice, "reason");
  if (reason != NULL) slice->host->fail(slice, reason);
  return (int)number(slice, "code", HOSTLER_ERROR);
}

/* A polite service: sits in poll until it is asked to stop. */
static int wait_politely(const hostler_slice_t *slice) {
  struct pollfd stop = {slice->host->stop_fd(slice), POLLIN, 0};
  write_pid(slice, getpid());
  slice->host->ready(slice);
  while (slice->host->should_stop(slice) == HOSTLER_GO_ON) poll(&stop, 1, -1);
  puts("leaving");
  return HOSTLER_DONE;
}

/* Knows no stop_fd, only that the stop signal interrupts what it sleeps in. */
static int wait_interrupted(const hostler_slice_t *slice) {
  slice->host->ready(slice);
  while (slice->host->should_stop(slice) == HOSTLER_GO_ON) poll(NULL, 0, 20);
  return HOSTLER_DONE;
}

static int ignore_stop(const hostler_slice_t *slice) {
  slice->host->ready(slice);
  wait_for_ever();
  return HOSTLER_DONE;
}

/* Not even an abort ends it, nor anything else but a kill. */
static int hang_deaf(const hostler_slice_t *slice) {
  for (int signal_number = 1; signal_number < NSIG; signal_number++) signal(signal_number, SIG_IGN);
  return ignore_stop(slice);
}

/* Does not hear of any signal. */
static int hang_blocked(const hostler_slice_t *slice) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  return ignore_stop(slice);
}

/* Hears of signals, but an abort it does not mind. */
static int hang_brave(const hostler_slice_t *slice) {
  signal(SIGABRT, SIG_IGN);
  return ignore_stop(slice);
}

static ssize_t never_written(void *cookie, const char *text, size_t size) {
  (void)cookie;
  (void)text;
  (void)size;
  wait_for_ever();
  return 0;
}

/* run() returns, but what it has buffered can never be written. */
static int hang_in_flush(const hostler_slice_t *slice) {
  const cookie_io_functions_t calls = {.write = never_written};
  FILE *stream = fopencookie(NULL, "w", calls);
  if (stream == NULL) return HOSTLER_BAD_CONFIG;
  fputs("never seen", stream);
  slice->host->heartbeat(slice);
  return HOSTLER_DONE;
}

/* Leaves a process behind that keeps every descriptor, and crashes. */
static int leave_a_child(const hostler_slice_t *slice) {
  const pid_t child = fork();
  if (child == 0) wait_for_ever();
  write_pid(slice, child);
  return kill_by_abort(slice);
}

/* Like that, but the child has left the group. */
static int leave_a_runaway(const hostler_slice_t *slice) {
  const char *path = slice->host->param(slice, "file");
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    write_pid_to(path, getpid());
    wait_for_ever();
  }
  wait_for_ever();
  return HOSTLER_DONE;
}

/* A child returns from run(), too, after it has tried every call. The worker itself is fine. */
static int fork_and_return(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  printf("said once\n");
  fflush(stdout);
  printf("buffered"); /* no line's end: stays in the buffer, of both */
  const int64_t next = host->claim(slice, slice->begin, slice->begin + 1);
  const pid_t child = fork();
  if (child == 0) {
    const int refused = host->claim(slice, next, next + 1) == -EPERM && host->claim(slice, 0, 1) == -EPERM &&
                        host->at(slice, 1) == -EPERM && host->heartbeat(slice) == -EPERM &&
                        host->progress(slice, 1, 2) == -EPERM && host->should_stop(slice) == -EPERM &&
                        host->stop_fd(slice) == -EPERM && host->output(slice, "child") == -EPERM &&
                        host->result(slice, "child", 5) == -EPERM && host->counter(slice, "child", 1) == -EPERM &&
                        host->fail(slice, "child") == -EPERM && host->log(slice, 1, "child", 5) == -EPERM &&
                        host->ready(slice) == -EPERM && host->count(slice) == -EPERM &&
                        host->param(slice, "do") == NULL;
    return refused ? 11 : 12;
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 11) {
    host->fail(slice, "the child was not refused");
    return HOSTLER_ERROR;
  }
  host->claim(slice, next, slice->end);
  host->result(slice, "worker", 6);
  return HOSTLER_DONE;
}

static int print(const hostler_slice_t *slice) {
  const int64_t count = number(slice, "count", 1);
  for (int64_t i = 0; i < count; i++) {
    printf("out %" PRId64 "\n", i);
    fprintf(stderr, "err %" PRId64 "\n", i);
  }
  slice->host->log(slice, HOSTLER_LOG_WARNING, "two\nlines", 9);
  printf("no end of line");
  return HOSTLER_DONE;
}

static int close_everything(const hostler_slice_t *slice) {
  closefrom(3);
  slice->host->result(slice, "unheard", 7);
  return HOSTLER_DONE;
}

/* Speaks over the channel itself, whichever descriptor that is. */
static int babble(const hostler_slice_t *slice) {
  (void)slice;
  for (int fd = 3; fd < 64; fd++)
    if (write(fd, "\xff\xff\xff\xff garbage", 12) < 0) continue;
  wait_for_ever();
  return HOSTLER_DONE;
}

static int claim_half(const hostler_slice_t *slice) {
  slice->host->claim(slice, slice->begin, slice->begin + (slice->end - slice->begin) / 2);
  return HOSTLER_DONE;
}

/* Claims until it is refused, a position at a time, slowly. */
static int claim_slowly(const hostler_slice_t *slice) {
  write_pid(slice, getpid());
  for (int64_t n = slice->begin; slice->host->claim(slice, n, n + 1) > n; n++) poll(NULL, 0, 1);
  return HOSTLER_DONE;
}

/* As fclose() does; another file may get the number. */
static int close_output(const hostler_slice_t *slice) {
  const int fd = slice->host->output(slice, "closed");
  if (fd < 0 || write(fd, "kept\n", 5) != 5) return HOSTLER_ERROR;
  close(fd);
  return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? HOSTLER_ERROR : HOSTLER_DONE;
}

static int remove_output(const hostler_slice_t *slice) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", slice->host->output(slice, "removed"));
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return HOSTLER_BAD_CONFIG;
  path[size] = '\0';
  unlink(path);
  return HOSTLER_DONE;
}

/* Writes, and then returns what it is told, whether it could write or not. */
static int fill_output(const hostler_slice_t *slice) {
  static const char block[65536];
  int64_t left = number(slice, "count", INT64_MAX);
  const int fd = slice->host->output(slice, "full");
  while (fd >= 0 && left > 0) {
    const ssize_t size = write(fd, block, left < (int64_t)sizeof block ? (size_t)left : sizeof block);
    if (size <= 0) break;
    left -= size;
  }
  return give_back(slice);
}

static int grow_input(const hostler_slice_t *slice) {
  const int fd = open(slice->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0 || write(fd, "more\n", 5) != 5) return HOSTLER_ERROR;
  close(fd);
  return HOSTLER_DONE;
}

static const struct {
  const char *name;
  int (*action)(const hostler_slice_t *slice);
} kActions[] = {{"null", kill_by_null},
                {"abort", kill_by_abort},
                {"kill", kill_itself},
                {"exit", leave},
                {"return", give_back},
                {"wait", wait_politely},
                {"wait_interrupted", wait_interrupted},
                {"ignore_stop", ignore_stop},
                {"hang_deaf", hang_deaf},
                {"hang_blocked", hang_blocked},
                {"hang_brave", hang_brave},
                {"hang_in_flush", hang_in_flush},
                {"leave_a_child", leave_a_child},
                {"leave_a_runaway", leave_a_runaway},
                {"fork_and_return", fork_and_return},
                {"print", print},
                {"close_everything", close_everything},
                {"babble", babble},
                {"claim_half", claim_half},
                {"claim_slowly", claim_slowly},
                {"close_output", close_output},
                {"remove_output", remove_output},
                {"fill_output", fill_output},
                {"grow_input", grow_input}};

int prepare(const hostler_slice_t *slice) {
  const char *verdict = slice->host->param(slice, "prepare");
  if (verdict == NULL) return HOSTLER_DONE;
  if (strcmp(verdict, "hang") == 0) wait_for_ever();
  if (strcmp(verdict, "exit") == 0) exit(3);
  if (strcmp(verdict, "close_everything") == 0) {
    closefrom(3);
    return HOSTLER_DONE;
  }
  slice->host->fail(slice, "prepare does as it is told");
  return atoi(verdict);
}

int run(const hostler_slice_t *slice) {
  const char *what = slice->host->param(slice, "do");
  if (what == NULL || number(slice, "at_index", slice->index) != slice->index) return HOSTLER_DONE;
  if (slice->attempt > number(slice, "fails", slice->attempt)) return HOSTLER_DONE;
  for (size_t i = 0; i < sizeof kActions / sizeof *kActions; i++)
    if (strcmp(kActions[i].name, what) == 0) return kActions[i].action(slice);
  slice->host->fail(slice, "do: is none of the known");
  return HOSTLER_BAD_CONFIG;
}
