/* The limit: fork_limit PLUGIN BOARD COUNT [LIST]. A loop of fork + dlopen that keeps COUNT workers: one that dies is
 * forked anew; TERM ends all. With a LIST, a file of COUNT lines, HUP reads it again and replaces the workers whose
 * line has changed. No state machine, no log, no error handling: what is left when all that is for people is taken out. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "board.h"

enum { MOST_PIDS = 1 << 22, LINE = 128 };

static volatile sig_atomic_t ending;
static volatile sig_atomic_t reloading;
static const char *plugin;
static const char *board;
static const char *list;
static int count;
static pid_t *pids;  /* shared, so that a fork does not copy them */
static int *indexes; /* by pid */
static char (*lines)[LINE];

static void on_term(int number) {
  (void)number;
  ending = 1;
}

static void on_hup(int number) {
  (void)number;
  reloading = 1;
}

static void *shared(size_t size) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void start(int index) {
  const pid_t pid = fork();
  if (pid == 0) {
    void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) _exit(127);
    int (*run)(int64_t, const char *);
    *(void **)&run = dlsym(library, "run");
    _exit(run(index, board));
  }
  pids[index] = pid;
  indexes[pid] = index;
}

/* True for the lines that are new, whose workers are told to leave; the loop starts them again. */
static void read_list(int replace) {
  char line[LINE];
  FILE *file = fopen(list, "r");
  for (int i = 0; i < count && fgets(line, sizeof line, file) != NULL; i++) {
    if (strcmp(lines[i], line) == 0) continue;
    strcpy(lines[i], line);
    if (replace) kill(pids[i], SIGTERM);
  }
  fclose(file);
}

static void handle(int number, void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: wait() returns */
  sigaction(number, &action, NULL);
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  plugin = argv[1];
  board = argv[2];
  count = atoi(argv[3]);
  list = argc > 4 ? argv[4] : NULL;
  pids = shared(sizeof(pid_t) * (size_t)count);
  indexes = shared(sizeof(int) * MOST_PIDS);
  lines = shared(sizeof *lines * (size_t)count);
  if (list != NULL) read_list(0);
  for (int i = 0; i < count; i++) start(i);
  handle(SIGTERM, on_term);
  handle(SIGHUP, on_hup);
  while (!ending) {
    const pid_t pid = wait(NULL);
    if (pid > 0) start(indexes[pid]);
    if (reloading) {
      reloading = 0;
      read_list(1);
    }
  }
  for (int i = 0; i < count; i++) kill(pids[i], SIGTERM);
  while (wait(NULL) > 0 || errno == EINTR) continue;
  return 0;
}
