/* sum_limit FILE: the sum of a field, by hand: mmap and two threads. */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "field.h"

struct part {
  const char *begin;
  const char *end;
  int64_t sum;
};

static void *work(void *argument) {
  struct part *part = argument;
  int64_t sum = 0;
  for (const char *line = part->begin; line < part->end;) {
    const char *end = memchr(line, '\n', (size_t)(part->end - line));
    if (end == NULL) end = part->end;
    sum += field_of(line, end);
    line = end + 1;
  }
  part->sum = sum;
  return NULL;
}

int main(int argc, char **argv) {
  struct stat status;
  const int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
  if (fd < 0 || fstat(fd, &status) != 0) return 2;
  const char *text = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (text == MAP_FAILED) return 1;
  const char *end = text + status.st_size;
  const char *half = memchr(text + status.st_size / 2, '\n', (size_t)(status.st_size - status.st_size / 2));
  struct part parts[2] = {{text, half + 1, 0}, {half + 1, end, 0}};
  pthread_t thread;
  pthread_create(&thread, NULL, work, &parts[1]);
  work(&parts[0]);
  pthread_join(thread, NULL);
  printf("%" PRId64 "\n", parts[0].sum + parts[1].sum);
  return 0;
}
