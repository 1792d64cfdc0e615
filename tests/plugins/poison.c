/* Counts lines and bytes, and dies of lines that begin with POISON; what it tells of where it is, the parameter `habit` says:
 *   marks (the default)  claims blocks and marks each line
 *   each                 claims line by line
 *   blocks               claims blocks, and marks nothing
 *   nothing              claims nothing
 * A line that begins with KILLHOST kills the host, one with CLOSE closes all descriptors; `everywhere`: it dies of the
 * first line of all. `rot: N`: leaks so many bytes a slice. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hostler/plugin.h>

HOSTLER_PLUGIN("poison", "1.0.0", HOSTLER_SPLITTABLE);

static const char *param(const hostler_slice_t *slice, const char *key) {
  const char *value = slice->host->param(slice, key);
  return value == NULL ? "" : value;
}

static void look_at(const char *line, int64_t size) {
  volatile int *nowhere = NULL;
  if (size >= 6 && memcmp(line, "POISON", 6) == 0) *nowhere = 1;
  if (size >= 8 && memcmp(line, "KILLHOST", 8) == 0) {
    kill(getppid(), SIGKILL);
    pause();
  }
  if (size >= 5 && memcmp(line, "CLOSE", 5) == 0)
    for (int fd = 3; fd < 1024; fd++) close(fd);
}

static void leak(int64_t bytes) {
  char *kept = bytes > 0 ? malloc((size_t)bytes) : NULL;
  if (kept != NULL) memset(kept, 1, (size_t)bytes);
}

int run(const hostler_slice_t *slice) {
  const char *habit = param(slice, "habit");
  const int each = strcmp(habit, "each") == 0;
  const int claims = strcmp(habit, "nothing") != 0;
  const int marks = claims && strcmp(habit, "blocks") != 0;
  const int64_t block = 4096;
  leak(atoll(param(slice, "rot")));
  if (*param(slice, "everywhere") != 0) look_at("POISON", 6);

  const int fd = open(slice->path, O_RDONLY | O_CLOEXEC);
  struct stat file;
  if (fd < 0 || fstat(fd, &file) != 0) return HOSTLER_ERROR;
  const char *text = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (text == MAP_FAILED) return HOSTLER_ERROR;

  int64_t lines = 0;
  int64_t bytes = 0;
  int64_t granted = slice->resume;
  int64_t end = slice->end;
  int64_t at = slice->resume;
  if (at > 0) {
    const char *newline = memchr(text + at - 1, '\n', (size_t)(file.st_size - at + 1));
    at = newline == NULL ? file.st_size : newline - text + 1;
  }
  while (at < end) {
    const char *newline = memchr(text + at, '\n', (size_t)(file.st_size - at));
    const int64_t next = newline == NULL ? file.st_size : newline - text + 1;
    while (claims && granted <= at) {
      const int64_t to = each ? (next < end ? next : end) : granted + block;
      const int64_t got = slice->host->claim(slice, granted, to);
      if (got <= granted) {
        end = granted;
        break;
      }
      granted = got;
    }
    if (at >= end) break;
    if (marks) slice->host->at(slice, at);
    const int64_t size = next - at - (newline != NULL);
    look_at(text + at, size);
    lines++;
    bytes += size;
    at = next;
  }
  while (claims && granted < end) {
    const int64_t got = slice->host->claim(slice, granted, end);
    if (got <= granted) break;
    granted = got;
  }
  munmap((void *)text, (size_t)file.st_size);
  slice->host->counter(slice, "lines", lines);
  slice->host->counter(slice, "bytes", bytes);
  return HOSTLER_DONE;
}
