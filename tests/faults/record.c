/* Writes down what a host and its workers do to the files below a folder, one call after the other, whoever makes it:
 * preloaded, with HOSTLER_RECORD_BELOW naming the folder (its real path) and HOSTLER_RECORD the file to write to, which is
 * none of those. power_cut.py reads it, and says what of all this a power cut would have left.
 *
 * A record is made under a lock in the moment of the call, so that their order is that of the calls. Memory that is mapped
 * is not seen, nor are owners and modes that change.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* power_cut.py knows these, and the layout. */
enum { CREATE = 1, MAKE_DIR = 2, WRITE = 3, TRUNCATE = 4, SYNC = 5, RENAME = 6, UNLINK = 7 };
struct record {
  uint32_t type;
  uint32_t mode;
  uint64_t file;  /* inode: what it is about; of names the folder */
  uint64_t other; /* the inode behind a new name; the folder that it is renamed into */
  int64_t at;     /* offset, or size */
  uint32_t name_size;
  uint32_t data_size;
};

enum { MAX_PATH = 4096 };

/* Copies: a process that gives itself a title writes over its environment. */
static const char *below;
static const char *log_path;

__attribute__((constructor)) static void begin(void) {
  if (getenv("HOSTLER_RECORD_BELOW") == NULL || getenv("HOSTLER_RECORD") == NULL) return;
  below = strdup(getenv("HOSTLER_RECORD_BELOW"));
  log_path = strdup(getenv("HOSTLER_RECORD"));
}

static void *next(const char *name) {
  return dlsym(RTLD_NEXT, name);
}
#define REAL(type, name, parameters) ((type(*) parameters)(uintptr_t)next(#name))

static int is_below(const char *path) {
  const size_t size = below == NULL ? 0 : strlen(below);
  return size > 0 && strncmp(path, below, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static int path_of_fd(int fd, char *path) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long size = syscall(SYS_readlinkat, AT_FDCWD, link, path, MAX_PATH - 1);
  if (size < 0) return 0;
  path[size] = '\0';
  return is_below(path);
}

/* The folder and the name within it, of a path below ours. */
static int split(int folder, const char *path, char *parent, const char **name) {
  const char *slash = strrchr(path, '/');
  *name = slash == NULL ? path : slash + 1;
  if (**name == '\0') return 0;
  char given[MAX_PATH];
  const size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
  if (size >= sizeof given) return 0;
  memcpy(given, path, size);
  given[size] = '\0';
  const int fd = (int)syscall(SYS_openat, folder, size == 0 ? "." : given, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  const int ours = path_of_fd(fd, parent);
  syscall(SYS_close, fd);
  return ours;
}

static uint64_t inode_of(const char *path) {
  struct stat status;
  return syscall(SYS_lstat, path, &status) == 0 ? status.st_ino : 0;
}

static int locked_log(void) {
  const int log = (int)syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
  if (log < 0 || REAL(int, flock, (int, int))(log, LOCK_EX) != 0) abort();
  return log;
}

static void note(int log, struct record record, const char *name, const void *data) {
  record.name_size = name == NULL ? 0 : (uint32_t)strlen(name);
  struct iovec parts[] = {{&record, sizeof record},
                          {(void *)(uintptr_t)name, record.name_size},
                          {(void *)(uintptr_t)data, record.data_size}};
  const size_t size = sizeof record + record.name_size + record.data_size;
  if (REAL(ssize_t, writev, (int, const struct iovec *, int))(log, parts, 3) != (ssize_t)size) abort();
}

/* Whatever the call has said stays said. */
static void unlock(int log) {
  const int error = errno;
  syscall(SYS_close, log);
  errno = error;
}

/* ---- names */

static void note_opened(int log, const char *parent, const char *name, int flags, uint64_t before, int fd) {
  struct stat status;
  if (fd < 0 || syscall(SYS_fstat, fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  if (before != status.st_ino) {
    note(log,
         (struct record){
             .type = CREATE, .mode = status.st_mode & 07777, .file = inode_of(parent), .other = status.st_ino},
         name, NULL);
  } else if ((flags & O_TRUNC) != 0) {
    note(log, (struct record){.type = TRUNCATE, .file = status.st_ino}, NULL, NULL);
  }
}

static int open_and_note(int (*real)(int, const char *, int, mode_t), int folder, const char *path, int flags,
                         mode_t mode) {
  char parent[MAX_PATH];
  const char *name;
  if (below == NULL || (flags & (O_CREAT | O_TRUNC)) == 0 || !split(folder, path, parent, &name))
    return real(folder, path, flags, mode);
  const int log = locked_log();
  struct stat status;
  const uint64_t before = syscall(SYS_newfstatat, folder, path, &status, 0) == 0 ? status.st_ino : 0;
  const int fd = real(folder, path, flags, mode);
  const int error = errno;
  note_opened(log, parent, name, flags, before, fd);
  errno = error;
  unlock(log);
  return fd;
}

static int real_open(int folder, const char *path, int flags, mode_t mode) {
  return REAL(int, openat, (int, const char *, int, ...))(folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

#define OPEN(name)                                                \
  int name(const char *path, int flags, ...) {                    \
    va_list rest;                                                 \
    va_start(rest, flags);                                        \
    const mode_t mode = mode_of(flags, rest);                     \
    va_end(rest);                                                 \
    return open_and_note(real_open, AT_FDCWD, path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                            \
  int name(int folder, const char *path, int flags, ...) {      \
    va_list rest;                                               \
    va_start(rest, flags);                                      \
    const mode_t mode = mode_of(flags, rest);                   \
    va_end(rest);                                               \
    return open_and_note(real_open, folder, path, flags, mode); \
  }
int openat(int folder, const char *path, int flags, ...);
OPENAT(openat64)
int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return open_and_note(real_open, folder, path, flags, mode);
}

/* Streams of the C++ library. */
#define FOPEN(name)                                                                    \
  FILE *name(const char *path, const char *how) {                                      \
    const int flags = how[0] == 'w' ? O_CREAT | O_TRUNC : how[0] == 'a' ? O_CREAT : 0; \
    char parent[MAX_PATH];                                                             \
    const char *last;                                                                  \
    if (below == NULL || flags == 0 || !split(AT_FDCWD, path, parent, &last))          \
      return REAL(FILE *, name, (const char *, const char *))(path, how);              \
    const int log = locked_log();                                                      \
    const uint64_t before = inode_of(path);                                            \
    FILE *file = REAL(FILE *, name, (const char *, const char *))(path, how);          \
    if (file != NULL) note_opened(log, parent, last, flags, before, fileno(file));     \
    unlock(log);                                                                       \
    return file;                                                                       \
  }
FOPEN(fopen)
FOPEN(fopen64)

static int make_dir(int folder, const char *path, mode_t mode) {
  char parent[MAX_PATH];
  const char *name;
  const int ours = split(folder, path, parent, &name);
  if (!ours) return REAL(int, mkdirat, (int, const char *, mode_t))(folder, path, mode);
  const int log = locked_log();
  const int result = REAL(int, mkdirat, (int, const char *, mode_t))(folder, path, mode);
  struct stat status;
  const int error = errno;
  if (result == 0 && syscall(SYS_newfstatat, folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0)
    note(log,
         (struct record){
             .type = MAKE_DIR, .mode = status.st_mode & 07777, .file = inode_of(parent), .other = status.st_ino},
         name, NULL);
  errno = error;
  unlock(log);
  return result;
}
int mkdir(const char *path, mode_t mode) {
  return make_dir(AT_FDCWD, path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
  return make_dir(folder, path, mode);
}

static int move(int a, const char *from, int b, const char *to) {
  char old_parent[MAX_PATH];
  char new_parent[MAX_PATH];
  const char *old_name;
  const char *new_name;
  const int ours = split(a, from, old_parent, &old_name) & split(b, to, new_parent, &new_name);
  if (!ours) return REAL(int, renameat, (int, const char *, int, const char *))(a, from, b, to);
  const int log = locked_log();
  const int result = REAL(int, renameat, (int, const char *, int, const char *))(a, from, b, to);
  const int error = errno;
  if (result == 0) {
    char names[2 * MAX_PATH];
    snprintf(names, sizeof names, "%s/%s", old_name, new_name); /* a name has no slash */
    note(log, (struct record){.type = RENAME, .file = inode_of(old_parent), .other = inode_of(new_parent)}, names,
         NULL);
  }
  errno = error;
  unlock(log);
  return result;
}
int rename(const char *from, const char *to) {
  return move(AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int a, const char *from, int b, const char *to) {
  return move(a, from, b, to);
}

static int drop(int folder, const char *path, int flags) {
  char parent[MAX_PATH];
  const char *name;
  const int ours = split(folder, path, parent, &name);
  if (!ours) return REAL(int, unlinkat, (int, const char *, int))(folder, path, flags);
  const int log = locked_log();
  const int result = REAL(int, unlinkat, (int, const char *, int))(folder, path, flags);
  const int error = errno;
  if (result == 0) note(log, (struct record){.type = UNLINK, .file = inode_of(parent)}, name, NULL);
  errno = error;
  unlock(log);
  return result;
}
int unlink(const char *path) {
  return drop(AT_FDCWD, path, 0);
}
int unlinkat(int folder, const char *path, int flags) {
  return drop(folder, path, flags);
}
int rmdir(const char *path) {
  return drop(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path) {
  struct stat status;
  const int is_folder = syscall(SYS_lstat, path, &status) == 0 && S_ISDIR(status.st_mode);
  return drop(AT_FDCWD, path, is_folder ? AT_REMOVEDIR : 0);
}

/* ---- contents */

static int is_ours(int fd, struct stat *status) {
  char path[MAX_PATH];
  if (below == NULL || syscall(SYS_fstat, fd, status) != 0) return 0;
  return (S_ISREG(status->st_mode) || S_ISDIR(status->st_mode)) && path_of_fd(fd, path);
}

#define WRITES(call, data, offset)                                                                                \
  struct stat status;                                                                                             \
  if (!is_ours(fd, &status)) return call;                                                                         \
  const int log = locked_log();                                                                                   \
  const ssize_t done = call;                                                                                      \
  const int error = errno;                                                                                        \
  if (done > 0)                                                                                                   \
    note(log, (struct record){.type = WRITE, .file = status.st_ino, .at = (offset), .data_size = (uint32_t)done}, \
         NULL, data);                                                                                             \
  errno = error;                                                                                                  \
  unlock(log);                                                                                                    \
  return done;

ssize_t write(int fd, const void *data, size_t size){
    WRITES(REAL(ssize_t, write, (int, const void *, size_t))(fd, data, size), data,
           lseek(fd, 0, SEEK_CUR) - done)} ssize_t pwrite(int fd, const void *data, size_t size, off_t at){
    WRITES(REAL(ssize_t, pwrite, (int, const void *, size_t, off_t))(fd, data, size, at), data, at)} ssize_t
    pwrite64(int fd, const void *data, size_t size, off64_t at){
        WRITES(REAL(ssize_t, pwrite64, (int, const void *, size_t, off64_t))(fd, data, size, at), data, at)} ssize_t
    writev(int fd, const struct iovec *parts, int count) {
  struct stat status;
  if (!is_ours(fd, &status)) return REAL(ssize_t, writev, (int, const struct iovec *, int))(fd, parts, count);
  ssize_t all = 0;
  for (int i = 0; i < count; ++i) {
    const ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
    if (done < 0) return all > 0 ? all : done;
    all += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return all;
}

#define SIMPLE(name, parameters, call, record_type, size)                                                              \
  int name parameters {                                                                                                \
    struct stat status;                                                                                                \
    if (!is_ours(fd, &status)) return call;                                                                            \
    const int log = locked_log();                                                                                      \
    const int result = call;                                                                                           \
    const int error = errno;                                                                                           \
    if (result == 0) note(log, (struct record){.type = record_type, .file = status.st_ino, .at = (size)}, NULL, NULL); \
    errno = error;                                                                                                     \
    unlock(log);                                                                                                       \
    return result;                                                                                                     \
  }
SIMPLE(fsync, (int fd), REAL(int, fsync, (int))(fd), SYNC, 0)
SIMPLE(fdatasync, (int fd), REAL(int, fdatasync, (int))(fd), SYNC, 0)
SIMPLE(ftruncate, (int fd, off_t size), REAL(int, ftruncate, (int, off_t))(fd, size), TRUNCATE, size)
SIMPLE(ftruncate64, (int fd, off64_t size), REAL(int, ftruncate64, (int, off64_t))(fd, size), TRUNCATE, size)
