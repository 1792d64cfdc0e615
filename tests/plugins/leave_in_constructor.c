/* Loaded with LEFT_BEHIND set, it leaves a process in a session of its own, whose pid stands in that file then. */
#include <hostler/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

HOSTLER_PLUGIN("leave_in_constructor", "1.0.0", 0);

__attribute__((constructor)) static void leave(void) {
  const char *path = getenv("LEFT_BEHIND");
  if (path == NULL) return;
  int ends[2];
  char done = 0;
  if (pipe(ends) != 0) abort();
  if (fork() == 0) {
    setsid();
    FILE *file = fopen(path, "w");
    if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) != 0) abort();
    if (write(ends[1], &done, 1) != 1) abort();
    for (;;) pause();
  }
  if (read(ends[0], &done, 1) != 1) abort();
}

int run(const hostler_slice_t *slice) {
  return slice == NULL ? HOSTLER_ERROR : HOSTLER_DONE;
}
