/* Leaves processes behind, in the way that `leave` says; `file` gets the pid. All but the last two then crash.
 *
 *   runaway   out of the group, with every descriptor
 *   daemon    the same, and its parent has ended: a double fork
 *   printer   the same as daemon, but keeps its streams only
 *   hermit    out of the group, without any descriptor
 *   hermits   the same, and leaves its place to another, for ever: a line of them, in the group whose number `file` gets
 *   giant     within the group, without any descriptor but that of `file`.lock, which it has locked; takes long to die
 *   pair      a runaway, and a giant out of the group, whose the files are
 *   orphan    within the group, its parent has ended; the worker lives on
 *   line      nothing: closes its line to the host instead, and lives on
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <hostler/plugin.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

HOSTLER_PLUGIN("strays", "1.0.0", 0);

static void wait_for_ever(void) {
  for (;;) pause();
}

static void write_own_pid(const char *path) {
  char text[32];
  char other[4096];
  const int size = snprintf(text, sizeof text, "%d\n", (int)getpid());
  snprintf(other, sizeof other, "%s.new", path);
  const int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, text, (size_t)size) != size || rename(other, path) != 0) abort();
  close(fd);
}

// Its memory is given back before its files are.
static void become_giant(const char *path) {
  const size_t size = (size_t)256 << 20;
  char other[4096];
  closefrom(0);
  snprintf(other, sizeof other, "%s.lock", path);
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED || flock(open(other, O_CREAT | O_RDWR | O_CLOEXEC, 0600), LOCK_EX) != 0) abort();
}

static void leave(const char *how, const char *path) {
  if (strcmp(how, "giant") == 0 || strcmp(how, "pair") == 0) become_giant(path);
  const int is_double = strcmp(how, "daemon") == 0 || strcmp(how, "printer") == 0 || strcmp(how, "orphan") == 0;
  if (is_double && fork() != 0) _exit(0);
  if (strcmp(how, "orphan") != 0 && strcmp(how, "giant") != 0) setsid();
  if (strncmp(how, "hermit", strlen("hermit")) == 0) closefrom(0);
  write_own_pid(path);
  while (strcmp(how, "hermits") == 0)
    if (fork() != 0) _exit(0);
  if (strcmp(how, "printer") == 0) closefrom(3);
  wait_for_ever();
}

// Returns when it is there: a printer, when it has closed all that it closes.
static void start(const char *how, const char *path) {
  const int is_printer = strcmp(how, "printer") == 0;
  const int is_daemon = is_printer || strcmp(how, "daemon") == 0;
  int life[2];
  if (pipe(life) != 0) abort();
  const pid_t child = fork();
  if (child == 0) leave(how, path);
  close(life[1]);
  if (is_daemon || strcmp(how, "orphan") == 0) waitpid(child, NULL, 0);
  struct pollfd end = {.fd = life[0], .events = POLLIN};
  int is_dead = 0;
  while ((is_printer || access(path, F_OK) != 0) && !is_dead) is_dead = poll(&end, 1, 1) > 0 && is_daemon;
  close(life[0]);
  // The host looks for what earlier workers have left, and may have found it before it has written.
  if (is_dead && access(path, F_OK) != 0) start(how, path);
}

int run(const hostler_slice_t *slice) {
  const char *how = slice->host->param(slice, "leave");
  const char *path = slice->host->param(slice, "file");
  if (strcmp(how, "line") == 0) {
    closefrom(3);
    wait_for_ever();
  }
  if (strcmp(how, "pair") == 0 && fork() == 0) {
    setsid();
    wait_for_ever();
  }
  start(how, path);
  if (strcmp(how, "orphan") == 0) wait_for_ever();
  abort();
}
