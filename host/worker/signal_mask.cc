// Code that blocks all signals, as libraries often do in threads of their own, blocks no faults: pthread_sigmask() and
// sigprocmask() of the whole process are these, as the program's symbols come first. To block faults has no use: the kernel
// then kills at once, and the crash handler (crash_report.h) is not asked. It is linked into the program itself, as
// thread_start.cc is. Outside of workers it only passes on.
//
// Safe in a signal handler, once it was called: the template does so before it forks workers.
#include <dlfcn.h>
#include <pthread.h>
#include <csignal>

#include <atomic>
#include <cerrno>

#include "worker/crash_report.h"

#ifndef HOSTLER_SANITIZED  // as for thread_start.cc

namespace {

using Mask = int (*)(int, const sigset_t *, sigset_t *);

constinit std::atomic<Mask> real_mask{nullptr};

Mask find_real_mask() {
  if (const Mask known = real_mask.load(std::memory_order_relaxed)) return known;
  const auto found = reinterpret_cast<Mask>(::dlsym(RTLD_NEXT, "pthread_sigmask"));
  real_mask.store(found, std::memory_order_relaxed);
  return found;
}

// Returns the error, as pthread_sigmask() does.
int set_mask(int how, const sigset_t *set, sigset_t *before) {
  const Mask mask = find_real_mask();
  if (mask == nullptr) return ENOSYS;
  if (set == nullptr || how == SIG_UNBLOCK || !hostler::notes_crashes()) return mask(how, set, before);
  sigset_t without_faults = *set;
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&without_faults, signal);
  return mask(how, &without_faults, before);
}

}  // namespace

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved
extern "C" __attribute__((visibility("default"))) int pthread_sigmask(int how, const sigset_t *set,
                                                                      sigset_t *before) noexcept {
  return set_mask(how, set, before);
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved
extern "C" __attribute__((visibility("default"))) int sigprocmask(int how, const sigset_t *set,
                                                                  sigset_t *before) noexcept {
  const int error = set_mask(how, set, before);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

#endif
