// Threads that a plugin starts get a place for the crash handler to run on, so that an overflow of their stack is told like
// any other crash: pthread_create() of the whole process is this one, as the program's symbols come first. It is linked
// into the program itself, not into a library, or it would not be found. Outside of workers it only passes on.
//
// A thread that the C library starts for itself has no such place.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <csignal>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>

#include "worker/crash_report.h"

#ifndef HOSTLER_SANITIZED  // which have one of their own

namespace {

using Routine = void *(*)(void *);
using Create = int (*)(pthread_t *, const pthread_attr_t *, Routine, void *);

constexpr std::size_t kHandlerStack = std::size_t{64} << 10;
constexpr std::size_t kLeastStack = 4 * kHandlerStack;

constinit std::atomic<Create> real_create{nullptr};

struct Begin {
  Routine routine;
  void *argument;
};

// For as long as the memory is there. Also when the thread is cancelled.
class HandlerStack {
 public:
  explicit HandlerStack(void *memory) {
    stack_t stack{};
    if (memory == nullptr) stack.ss_flags = SS_DISABLE;
    stack.ss_sp = memory;
    stack.ss_size = kHandlerStack;
    ::sigaltstack(&stack, nullptr);
  }
  HandlerStack(const HandlerStack &) = delete;
  HandlerStack &operator=(const HandlerStack &) = delete;
  ~HandlerStack() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
};

class MappedMemory {
 public:
  MappedMemory() = default;
  MappedMemory(const MappedMemory &) = delete;
  MappedMemory &operator=(const MappedMemory &) = delete;
  ~MappedMemory() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, kHandlerStack);
  }
  [[nodiscard]] void *get() const { return memory_ == MAP_FAILED ? nullptr : memory_; }

 private:
  void *memory_ = ::mmap(nullptr, kHandlerStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
};

// Threads are often started with all signals blocked. What else blocks those of faults is met in signal_mask.cc.
void unblock_faults() {
  sigset_t faults;
  sigemptyset(&faults);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaddset(&faults, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
}

// The place is at the beginning of the thread's own stack, far from where that overflows. It costs no memory until it is
// used.
void *begin_thread(void *packed) {
  const Begin begin = *std::unique_ptr<Begin>(static_cast<Begin *>(packed));
  alignas(64) std::byte memory[kHandlerStack];
  const HandlerStack stack(memory);
  unblock_faults();
  return begin.routine(begin.argument);
}

// Where that is too small, the place is a mapping of its own.
void *begin_small_thread(void *packed) {
  const Begin begin = *std::unique_ptr<Begin>(static_cast<Begin *>(packed));
  const MappedMemory memory;
  const HandlerStack stack(memory.get());
  unblock_faults();
  return begin.routine(begin.argument);
}

bool has_room(const pthread_attr_t *attributes) {
  std::size_t size = 0;
  if (attributes != nullptr) return ::pthread_attr_getstacksize(attributes, &size) == 0 && size >= kLeastStack;
  pthread_attr_t usual;
  if (::pthread_getattr_default_np(&usual) != 0) return false;
  const bool known = ::pthread_attr_getstacksize(&usual, &size) == 0;
  ::pthread_attr_destroy(&usual);
  return known && size >= kLeastStack;
}

Create find_real_create() {
  if (const Create known = real_create.load(std::memory_order_relaxed)) return known;
  const auto found = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  real_create.store(found, std::memory_order_relaxed);
  return found;
}

}  // namespace

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the C library's are reserved
extern "C" __attribute__((visibility("default"))) int pthread_create(pthread_t *thread,
                                                                     const pthread_attr_t *attributes, Routine routine,
                                                                     void *argument) noexcept {
  const Create create = find_real_create();
  if (create == nullptr) return EAGAIN;
  if (!hostler::notes_crashes()) return create(thread, attributes, routine, argument);
  std::unique_ptr<Begin> begin(new (std::nothrow) Begin{routine, argument});
  if (!begin) return EAGAIN;
  const int error = create(thread, attributes, has_room(attributes) ? begin_thread : begin_small_thread, begin.get());
  if (error == 0) (void)begin.release();  // the thread's now
  return error;
}

#endif
