// Dies in all the ways that native code can, from known functions in known lines: `do` says how. Where it is told by the
// environment (CRASHES_WHILE_LOADING) its constructor does. A line's comment is what tests look the line up by.
#include <dlfcn.h>
#include <fcntl.h>
#include <hostler/plugin.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <csignal>

#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#define PLAINLY __attribute__((noinline, no_sanitize("undefined", "address")))

namespace {

// Compilers know better than to do these things to anything else.
volatile std::uintptr_t nowhere = 8;
volatile int zero = 0;

PLAINLY void read_nowhere() {
  *reinterpret_cast<volatile int *>(nowhere) = 1;  // null
}

PLAINLY void divide() {
  zero = 7 / zero;  // fpe
}

PLAINLY void run_into_trap() {
  __builtin_trap();  // ill
}

PLAINLY void read_behind_end() {
  const int file = memfd_create("empty", MFD_CLOEXEC);
  void *page = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0);
  zero = *static_cast<volatile int *>(page);  // bus
}

PLAINLY void jump_away() {
  const auto away = reinterpret_cast<void (*)()>(nowhere);
  away();    // jump
  zero = 1;  // so that it is a call, not a jump
}

PLAINLY int overflow(int depth) {
  volatile char room[512];
  room[depth % 512] = 1;
  if (nowhere == 0) return 0;            // never
  return overflow(depth + 1) + room[0];  // overflow
}

PLAINLY void break_heap() {
  auto *volatile block = static_cast<std::uint64_t *>(std::malloc(64));
  block[-1] = ~std::uint64_t{0};
  std::free(block);  // heap
}

PLAINLY void give_up() {
  std::abort();  // abort
}

PLAINLY void throw_it() {
  throw std::runtime_error("nobody catches this");  // throw
}

PLAINLY void throw_number() {
  throw 42;  // throw_number
}

class Careless {
 public:
  PLAINLY void work(const std::string &way) {
    if (way == "null") read_nowhere();
    if (way == "fpe") divide();
    if (way == "ill") run_into_trap();
    if (way == "bus") read_behind_end();
    if (way == "jump") jump_away();
    if (way == "overflow") overflow(0);
    if (way == "heap") break_heap();
    if (way == "abort") give_up();
    if (way == "throw") throw_it();
    if (way == "throw_number") throw_number();
  }
};

// Two at once.
void race() {
  std::atomic<int> ready{0};
  const auto crash = [&ready] {
    ++ready;
    while (ready != 2) continue;
    read_nowhere();
  };
  std::thread other(crash);
  crash();
  other.join();
}

// As data, below all that is mapped, and kept: as Rust's runtime does with the file that has panicked.
void map_own_file() {
  constexpr std::size_t kMoreThanAnyGap = std::size_t{1} << 30;
  Dl_info own{};
  dladdr(reinterpret_cast<const void *>(&map_own_file), &own);
  const int file = open(own.dli_fname, O_RDONLY | O_CLOEXEC);
  mmap(nullptr, kMoreThanAnyGap, PROT_READ, MAP_PRIVATE, file, 0);
}

// More code than a crash has room to tell of, of a file and of none, below all that was mapped before.
void map_much_code() {
  constexpr int kMappings = 10'000;
  const int file = open("/bin/true", O_RDONLY | O_CLOEXEC);
  for (int i = 0; i < kMappings; ++i) {
    mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
}

// A thread crashes when the main thread has left, and its zombie is all there is of that.
void crash_alone() {
  std::thread([] {
    char state = 0;
    while (state != 'Z') {
      std::ifstream stat("/proc/self/stat");
      std::string text;
      std::getline(stat, text);
      state = text[text.rfind(')') + 2];
    }
    read_nowhere();
  }).detach();
  pthread_exit(nullptr);
}

// A process of the plugin's own dies; the worker is fine, and stays so.
int fork_and_crash() {
  const pid_t child = fork();
  if (child == 0) read_nowhere();
  return HOSTLER_DONE;
}

// As a server's library does in a thread of its own, and by both of the calls that there are.
void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

void own_handler(int) {
  _exit(33);
}

__attribute__((constructor)) void loaded() {
  if (std::getenv("CRASHES_WHILE_LOADING") != nullptr) read_nowhere();
}

}  // namespace

extern "C" {
HOSTLER_PLUGIN("crashes", "1.0.0", 0);

int run(const hostler_slice_t *slice) {
  const char *way = slice->host->param(slice, "do");
  const char *thread = slice->host->param(slice, "thread");
  if (way == nullptr) return HOSTLER_DONE;
  slice->host->at(slice, slice->begin + 3);
  if (std::strcmp(way, "race") == 0) race();
  if (std::strcmp(way, "alone") == 0) crash_alone();
  if (std::strcmp(way, "fork") == 0) return fork_and_crash();
  if (std::strcmp(way, "mapped") == 0) {
    map_own_file();
    read_nowhere();
  }
  if (std::strcmp(way, "crowded") == 0) {
    map_much_code();
    read_nowhere();
  }
  if (std::strcmp(way, "own_handler") == 0) {
    std::signal(SIGSEGV, own_handler);
    read_nowhere();
  }
  if (thread == nullptr) {
    if (slice->host->param(slice, "blocks") != nullptr) block_all_signals();
    Careless().work(way);
  } else if (std::strcmp(thread, "small") == 0) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
    pthread_t small{};
    const auto work = [](void *argument) -> void * {
      Careless().work(static_cast<const char *>(argument));
      return nullptr;
    };
    pthread_create(&small, &attributes, work, const_cast<char *>(way));
    pthread_join(small, nullptr);
  } else {
    if (std::strcmp(thread, "blocked") == 0) block_all_signals();
    std::thread([way, thread] {
      if (std::strcmp(thread, "blocks") == 0) block_all_signals();
      Careless().work(way);
    }).join();
  }
  return HOSTLER_DONE;
}
}
