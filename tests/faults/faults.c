/* System calls that fail on demand: preloaded into a host, ruled through a file that both map (HOSTLER_FAULTS names it;
 * rule.py writes it). Meets the calls of one process and one kind, of paths that have a text in them if one is given, after
 * letting some through, so many times: lets them fail with an errno, or, when that is 0, by doing only half of what was
 * asked; or stops the whole process before or after the call, for somebody to kill it or others there. Whatever libc does
 * inside itself is not seen. What the kernel would never say is not said: a pipe or an eventfd knows no I/O error and is no
 * full disk, and epoll has room for what it has already.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAIL, STOP_BEFORE, STOP_AFTER };
enum { NOBODY = 0, WHO_STARTS = -1, THE_HOST = -2, A_WORKER = -3 };

/* rule.py knows this layout. */
struct rule {
  _Atomic int32_t
      process; /* or one of the above: who runs as `hostler up`; the host that this or `hostler run` has forked;
                              who was forked by a template */
  int32_t error;
  _Atomic int32_t skip;
  _Atomic int32_t times;
  _Atomic int32_t hits;
  int32_t how;
  _Atomic int32_t stopped; /* the process that has stopped itself */
  char call[44];
  char place[128];
};

static struct rule *rule;
static int runs_as_up;
static int runs_as_host;
static pid_t loaded_in;

__attribute__((constructor)) static void find_rule(void) {
  const char *path = getenv("HOSTLER_FAULTS");
  if (path == NULL) return;
  /* Not by the calls below. */
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) abort();
  void *page = mmap(NULL, sizeof *rule, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) abort();
  syscall(SYS_close, fd);
  char arguments[4096] = "";
  const int own = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY, 0);
  const long size = syscall(SYS_read, own, arguments, sizeof arguments - 1);
  syscall(SYS_close, own);
  const size_t program = strlen(arguments) + 1;
  const char *command = size > (long)program ? arguments + program : "";
  runs_as_up = strcmp(command, "up") == 0;
  runs_as_host = runs_as_up || strcmp(command, "run") == 0;
  loaded_in = getpid();
  rule = page;
}

static int is_meant(const char *call) {
  if (rule == NULL) return 0;
  const int32_t process = atomic_load(&rule->process);
  if (process == NOBODY || strcmp(rule->call, call) != 0) return 0;
  switch (process) {
    case WHO_STARTS: return runs_as_up;
    case THE_HOST: return runs_as_host && getpid() != loaded_in;
    case A_WORKER: return !runs_as_host && getpid() != loaded_in;
    default: return process == (int32_t)getpid();
  }
}

static _Thread_local char place[8192];

static const char *of_fd(int fd) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long size = syscall(SYS_readlinkat, AT_FDCWD, link, place, sizeof place / 2);
  place[size < 0 ? 0 : size] = '\0';
  return place;
}

static const char *of_path(int folder, const char *path) {
  if (path[0] == '/' || folder == AT_FDCWD) return path;
  of_fd(folder);
  const size_t size = strlen(place);
  snprintf(place + size, sizeof place - size, "/%s", path);
  return place;
}

/* Whether this call is the one. */
static int take(const char *where) {
  if (rule->place[0] != '\0' && strstr(where, rule->place) == NULL) return 0;
  if (atomic_fetch_sub(&rule->skip, 1) > 0) return 0;
  if (atomic_fetch_sub(&rule->times, 1) <= 0) return 0;
  atomic_fetch_add(&rule->hits, 1);
  return 1;
}
#define HIT(kind, where) (is_meant(kind) && take(where))
#define FAILS(hit) ((hit) && rule->how == FAIL)

/* As above; the errno is one that this descriptor may have. What has no type is an eventfd, or of that kind. */
static int hit_on(const char *call, int fd) {
  struct stat file;
  if (!is_meant(call) || syscall(SYS_fstat, fd, &file) != 0) return 0;
  if ((file.st_mode & S_IFMT) == 0) return 0;
  if (rule->how == FAIL && (rule->error == EIO || rule->error == ENOSPC) && !S_ISREG(file.st_mode)) return 0;
  return take(of_fd(fd));
}

/* For as long as nobody lets it go on. */
static void stop_if(int hit, int how) {
  if (!hit || rule->how != how) return;
  const int error = errno;
  atomic_store(&rule->stopped, (int32_t)getpid());
  kill(getpid(), SIGSTOP);
  errno = error;
}

static void *next(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

/* A call that fails with -1 or what `failed` says; `where` it is about. */
#define CALL(type, failed, kind, where, name, parameters, arguments)     \
  type name parameters {                                                 \
    static type(*_Atomic real) parameters;                               \
    if (real == NULL) real = (type(*) parameters)(uintptr_t)next(#name); \
    const int hit = HIT(kind, where);                                    \
    if (FAILS(hit)) {                                                    \
      errno = rule->error;                                               \
      return failed;                                                     \
    }                                                                    \
    stop_if(hit, STOP_BEFORE);                                           \
    type result = real arguments;                                        \
    stop_if(hit, STOP_AFTER);                                            \
    return result;                                                       \
  }

/* One that moves bytes: it may do so by half. */
#define TRANSFER(kind, name, parameters, arguments)                         \
  ssize_t name parameters {                                                 \
    static ssize_t(*_Atomic real) parameters;                               \
    if (real == NULL) real = (ssize_t(*) parameters)(uintptr_t)next(#name); \
    const int hit = hit_on(kind, fd);                                       \
    if (FAILS(hit)) {                                                       \
      if (rule->error != 0) {                                               \
        errno = rule->error;                                                \
        return -1;                                                          \
      }                                                                     \
      if (size > 1) size /= 2;                                              \
    }                                                                       \
    stop_if(hit, STOP_BEFORE);                                              \
    ssize_t result = real arguments;                                        \
    stop_if(hit, STOP_AFTER);                                               \
    return result;                                                          \
  }

/* The mode is there or not; to hand on what may be nothing hurts nobody. */
#define OPENS(where, call)                                                             \
  va_list rest;                                                                        \
  va_start(rest, flags);                                                               \
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
  va_end(rest);                                                                        \
  const int hit = HIT("open", where);                                                  \
  if (FAILS(hit)) {                                                                    \
    errno = rule->error;                                                               \
    return -1;                                                                         \
  }                                                                                    \
  stop_if(hit, STOP_BEFORE);                                                           \
  const int fd = call;                                                                 \
  stop_if(hit, STOP_AFTER);                                                            \
  return fd;

#define OPEN(name)                                                                    \
  int name(const char *path, int flags, ...) {                                        \
    static int (*_Atomic real)(const char *, int, ...);                               \
    if (real == NULL) real = (int (*)(const char *, int, ...))(uintptr_t)next(#name); \
    OPENS(path, real(path, flags, mode))                                              \
  }

OPEN(open)
OPEN(open64)

int openat(int folder, const char *path, int flags, ...) {
  static int (*_Atomic real)(int, const char *, int, ...);
  if (real == NULL) real = (int (*)(int, const char *, int, ...))(uintptr_t)next("openat");
  OPENS(of_path(folder, path), real(folder, path, flags, mode))
}

TRANSFER("read", read, (int fd, void *data, size_t size), (fd, data, size))
TRANSFER("read", pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
TRANSFER("read", pread64, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at))
TRANSFER("write", write, (int fd, const void *data, size_t size), (fd, data, size))
TRANSFER("pwrite", pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
TRANSFER("pwrite", pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
TRANSFER("recv", recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
TRANSFER("send", send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))

CALL(ssize_t, -1, "sendmsg", of_fd(fd), sendmsg, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
CALL(ssize_t, -1, "recvmsg", of_fd(fd), recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
CALL(int, -1, "fsync", of_fd(fd), fsync, (int fd), (fd))
CALL(int, -1, "fsync", of_fd(fd), fdatasync, (int fd), (fd))
CALL(int, -1, "rename", to, rename, (const char *from, const char *to), (from, to))
CALL(int, -1, "rename", of_path(b, to), renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
CALL(int, -1, "mkdir", path, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(int, -1, "mkdir", of_path(folder, path), mkdirat, (int folder, const char *path, mode_t mode),
     (folder, path, mode))
CALL(int, -1, "unlink", path, unlink, (const char *path), (path))
CALL(int, -1, "unlink", of_path(folder, path), unlinkat, (int folder, const char *path, int flags),
     (folder, path, flags))
CALL(int, -1, "unlink", path, rmdir, (const char *path), (path))
CALL(int, -1, "ftruncate", of_fd(fd), ftruncate, (int fd, off_t size), (fd, size))
CALL(int, -1, "ftruncate", of_fd(fd), ftruncate64, (int fd, off64_t size), (fd, size))
CALL(int, -1, "fallocate", of_fd(fd), fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
CALL(int, -1, "stat", path, stat, (const char *path, struct stat *out), (path, out))
CALL(int, -1, "stat", path, stat64, (const char *path, struct stat64 *out), (path, out))
CALL(int, -1, "stat", path, lstat, (const char *path, struct stat *out), (path, out))
CALL(int, -1, "stat", path, lstat64, (const char *path, struct stat64 *out), (path, out))
CALL(int, -1, "fstat", of_fd(fd), fstat, (int fd, struct stat *out), (fd, out))
CALL(int, -1, "fstat", of_fd(fd), fstat64, (int fd, struct stat64 *out), (fd, out))
CALL(int, -1, "fstat", of_path(folder, path), fstatat, (int folder, const char *path, struct stat *out, int flags),
     (folder, path, out, flags))
CALL(int, -1, "statvfs", path, statvfs, (const char *path, struct statvfs *out), (path, out))
CALL(DIR *, NULL, "opendir", path, opendir, (const char *path), (path))
CALL(DIR *, NULL, "opendir", of_fd(fd), fdopendir, (int fd), (fd))
CALL(int, -1, "flock", "", flock, (int fd, int what), (fd, what))
CALL(int, -1, "socketpair", "", socketpair, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
CALL(int, -1, "socket", "", socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(int, -1, "accept4", "", accept4, (int fd, __SOCKADDR_ARG name, socklen_t *size, int flags),
     (fd, name, size, flags))
CALL(int, -1, "pipe2", "", pipe2, (int ends[2], int flags), (ends, flags))
CALL(int, -1, "poll", "", poll, (struct pollfd * fds, nfds_t count, int wait), (fds, count, wait))
CALL(int, -1, what == EPOLL_CTL_ADD ? "epoll_ctl" : "", "", epoll_ctl,
     (int set, int what, int fd, struct epoll_event *event), (set, what, fd, event))
CALL(int, -1, "epoll_create", "", epoll_create1, (int flags), (flags))
CALL(int, -1, "eventfd", "", eventfd, (unsigned value, int flags), (value, flags))
CALL(int, -1, "signalfd", "", signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
CALL(int, -1, "timerfd", "", timerfd_create, (int clock, int flags), (clock, flags))
CALL(int, -1, "epoll_wait", "", epoll_wait, (int set, struct epoll_event *events, int most, int wait),
     (set, events, most, wait))
CALL(int, -1, "timerfd_settime", "", timerfd_settime,
     (int fd, int flags, const struct itimerspec *value, struct itimerspec *old), (fd, flags, value, old))
CALL(int, -1, "waitid", "", waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
CALL(pid_t, -1, "fork", "", fork, (void), ())
CALL(void *, MAP_FAILED, "mmap", "", mmap, (void *at, size_t size, int what, int flags, int fd, off_t offset),
     (at, size, what, flags, fd, offset))
CALL(void *, MAP_FAILED, "mmap", "", mmap64, (void *at, size_t size, int what, int flags, int fd, off64_t offset),
     (at, size, what, flags, fd, offset))
CALL(int, rule->error, "posix_spawn", path, posix_spawn,
     (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *settings,
      char *const arguments[], char *const environment[]),
     (pid, path, actions, settings, arguments, environment))

/* Those that libc has no name for. */
static const char *kind_of(long number) {
  switch (number) {
    case SYS_clone: return "clone";
    case SYS_pidfd_open: return "pidfd_open";
    case SYS_pidfd_send_signal: return "pidfd_send_signal";
    default: return "";
  }
}

long any_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long any_syscall(long number, long a, long b, long c, long d, long e, long f) {
  static long (*_Atomic real)(long, long, long, long, long, long, long);
  if (real == NULL) real = (long (*)(long, long, long, long, long, long, long))(uintptr_t)next("syscall");
  const int hit = HIT(kind_of(number), "");
  if (FAILS(hit)) {
    errno = rule->error;
    return -1;
  }
  stop_if(hit, STOP_BEFORE);
  const long result = real(number, a, b, c, d, e, f);
  stop_if(hit, STOP_AFTER);
  return result;
}
