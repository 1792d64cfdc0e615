/* Writes garbage over its whole page and into every descriptor that it has. Then, as `then` says: abort, stay, return.
 * `then: claims` claims one by one, and writes over its page alone at position 7. */
#include <dirent.h>
#include <hostler/plugin.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

HOSTLER_PLUGIN("scribble", "1.0.0", 0);

static unsigned seed = 1;

static unsigned char garbage(void) {
  seed = seed * 1103515245U + 12345U;
  return (unsigned char)(seed >> 16);
}

/* The page is the one shared mapping of a *.pages file. */
static int scribble_page(void) {
  FILE *maps = fopen("/proc/self/maps", "re");
  if (maps == NULL) return 0;
  char line[4096];
  int found = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (strstr(line, ".pages") == NULL || sscanf(line, "%lx-%lx rw-s", &begin, &end) != 2) continue;
    unsigned char *bytes = (unsigned char *)(uintptr_t)begin; /* NOLINT: that is what maps is for */
    for (size_t i = 0; i < end - begin; i++) bytes[i] = garbage();
    found++;
  }
  fclose(maps);
  return found;
}

static void scribble_descriptor(int fd) {
  unsigned char bytes[700];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = garbage();
  ssize_t ignored = lseek(fd, 0, SEEK_SET);
  ignored = write(fd, bytes, sizeof bytes);
  ignored = pwrite(fd, bytes, sizeof bytes, 0);
  ignored = ftruncate(fd, 1);
  ignored = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)ignored;
}

static void scribble_descriptors(void) {
  DIR *open_ones = opendir("/proc/self/fd");
  if (open_ones == NULL) return;
  for (struct dirent *each = readdir(open_ones); each != NULL; each = readdir(open_ones)) {
    const int fd = (int)strtol(each->d_name, NULL, 10);
    if (each->d_name[0] != '.' && fd != dirfd(open_ones)) scribble_descriptor(fd);
  }
  closedir(open_ones);
}

static int claim_all(const hostler_slice_t *slice) {
  for (int64_t at = slice->resume; slice->host->claim(slice, at, at + 1) > at; at++)
    if (at == 7) scribble_page();
  return HOSTLER_DONE;
}

int run(const hostler_slice_t *slice) {
  const char *then = slice->host->param(slice, "then");
  if (then != NULL && strcmp(then, "claims") == 0) return claim_all(slice);
  const int stays = then != NULL && strcmp(then, "stay") == 0;
  const int aborts = then != NULL && strcmp(then, "abort") == 0;
  seed = (unsigned)getpid() * 2654435761U + (unsigned)slice->begin;
  signal(SIGPIPE, SIG_IGN);
  do {
    if (scribble_page() != 1) return HOSTLER_BAD_CONFIG;
    if (seed % 2 == 0 || !stays) scribble_descriptors();
    if (stays) usleep(1000);
  } while (stays);
  if (aborts) signal(SIGABRT, SIG_DFL);
  if (aborts) abort();
  return HOSTLER_DONE;
}
