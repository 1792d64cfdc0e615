/* Where workers say that they have started: a shared file that the driver reads. The same for the plugins that hostler
 * runs and for the C limits, so both pay the same for reporting. */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct board_slot {
  uint32_t pid;
  uint32_t starts;
  uint64_t started_at; /* CLOCK_MONOTONIC, ns */
};

struct board {
  uint64_t starts;   /* of all */
  uint64_t last_at;  /* the latest of them */
  uint64_t first_at; /* of what works: began … */
  uint64_t ended_at; /* … and returned */
  struct board_slot slots[];
};

static inline uint64_t board_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline struct board *board_open(const char *path) {
  struct stat file;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return NULL;
  void *map =
      fstat(fd, &file) == 0 ? mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  close(fd);
  return map == MAP_FAILED ? NULL : (struct board *)map;
}

static inline void board_latest(uint64_t *field, uint64_t at) {
  uint64_t seen = __atomic_load_n(field, __ATOMIC_RELAXED);
  while (seen < at && !__atomic_compare_exchange_n(field, &seen, at, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
}

static inline void board_earliest(uint64_t *field, uint64_t at) {
  uint64_t seen = __atomic_load_n(field, __ATOMIC_RELAXED);
  while ((seen == 0 || seen > at) &&
         !__atomic_compare_exchange_n(field, &seen, at, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    continue;
}

/* The first act of a worker. */
static inline void board_report(const char *path, int64_t index) {
  struct board *board = board_open(path);
  if (board == NULL) return;
  struct board_slot *slot = &board->slots[index];
  slot->started_at = board_now();
  __atomic_store_n(&slot->pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
  __atomic_add_fetch(&slot->starts, 1, __ATOMIC_RELEASE);
  board_latest(&board->last_at, slot->started_at);
  __atomic_add_fetch(&board->starts, 1, __ATOMIC_RELEASE);
}
