#include "worker/crash_report.h"

#include <cxxabi.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <string>
#include <string_view>
#include <typeinfo>

#include "core/crash.h"

namespace hostler {
namespace {

constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
// How long a thread that crashes waits for another that does so already, before it ends the process itself.
constexpr timespec kPatience{2, 0};
// How far above a stack pointer that has left its stack that stack may begin.
constexpr std::uint64_t kOverflow = std::uint64_t{1} << 20;

constinit char *the_slot = nullptr;
constinit pid_t worker_pid = 0;
constinit std::atomic<pid_t> crashing_thread{0};
constinit int first_signal = 0;
siginfo_t first_info;
std::array<char, std::size_t{16} << 10> maps_buffer;  // one crash at a time
std::array<char, std::size_t{4} << 10> path_buffer;
constinit std::terminate_handler former_terminate = nullptr;
// Only touched by a signal, so it costs no memory before. The kernel's frame takes up to 12 KiB of it; where it is smaller,
// that of a stop touches one page only.
alignas(4096) std::array<char, std::size_t{64} << 10> alternate_stack;

pid_t own_tid() {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

[[noreturn]] void die(int signal, siginfo_t *info) {
  struct sigaction deadly {};
  deadly.sa_handler = SIG_DFL;
  ::sigaction(signal, &deadly, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
  // With all that the kernel said of it, for whoever reads the core.
  ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), own_tid(), signal, info);
  ::kill(::getpid(), signal);  // where a sandbox has refused the first
  ::_exit(128 + signal);
}

// Plain words, one by one: a sanitizer would object to reading another function's stack.
__attribute__((noinline, no_sanitize("address", "thread", "undefined"))) void copy_words(char *to, std::uint64_t from,
                                                                                         std::size_t size) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address of the kernel's table
  const auto *source = reinterpret_cast<const volatile std::uint64_t *>(from);
  auto *target = reinterpret_cast<volatile std::uint64_t *>(to);
  for (std::size_t i = 0; i < size / sizeof(std::uint64_t); ++i) target[i] = source[i];
}

// DWARF's numbers, in their order (x86-64 psABI 3.6.2, AArch64 DWARF 4.1).
void copy_registers(CrashNote &note, const ucontext_t &context) {
#if defined(__x86_64__)
  constexpr std::array kOrder{REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                              REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  for (std::size_t i = 0; i < kOrder.size(); ++i)
    note.registers.at(i) = static_cast<std::uint64_t>(context.uc_mcontext.gregs[kOrder.at(i)]);
  note.register_count = kOrder.size();
  note.pc = static_cast<std::uint64_t>(context.uc_mcontext.gregs[REG_RIP]);
  note.sp = static_cast<std::uint64_t>(context.uc_mcontext.gregs[REG_RSP]);
#elif defined(__aarch64__)
  for (std::size_t i = 0; i < 31; ++i) note.registers[i] = context.uc_mcontext.regs[i];
  note.registers[31] = context.uc_mcontext.sp;
  note.register_count = 32;
  note.pc = context.uc_mcontext.pc;
  note.sp = context.uc_mcontext.sp;
#else
#error "which registers does this machine unwind with?"
#endif
}

// Reads the maps in pieces, as there may be thousands: keeps the lines of code and of where files begin, as far as there is
// room, and finds the stack that `sp` is on, or that it has overflown.
class MapsReader {
 public:
  explicit MapsReader(CrashNote &note, char *modules) : note_(note), modules_(modules) {}

  // The lines of the file that was at work come first and those of no file last. The order is that of the addresses
  // otherwise, for each file.
  void read() {
    // Of the thread: the process's is empty once its main thread has left by pthread_exit().
    constexpr const char *kMaps = "/proc/thread-self/maps";
    int fd = ::open(kMaps, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {  // standard input is not needed any more
      ::close(STDIN_FILENO);
      fd = ::open(kMaps, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) return;
    for (const Pass pass : {Pass::Look, Pass::OwnFile, Pass::OtherFiles, Pass::NoFile}) {
      pass_ = pass;
      last_ = {};
      ::lseek(fd, 0, SEEK_SET);
      read_all(fd);
    }
    ::close(fd);
  }

  // Nothing when `sp` points nowhere.
  [[nodiscard]] std::uint64_t stack_begin() const { return stack_begin_; }
  [[nodiscard]] std::uint64_t stack_end() const { return stack_end_; }

 private:
  enum class Pass { Look, OwnFile, OtherFiles, NoFile };

  void read_all(int fd) {
    std::size_t held = 0;
    while (true) {
      const ssize_t size = ::read(fd, maps_buffer.data() + held, maps_buffer.size() - held);
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) break;
      held = take_lines(held + static_cast<std::size_t>(size));
    }
  }

  // Returns how much of a line that is not whole stands at the buffer's beginning now.
  std::size_t take_lines(std::size_t size) {
    std::string_view text(maps_buffer.data(), size);
    std::size_t end = 0;
    while ((end = text.find('\n')) != std::string_view::npos) {
      if (const auto mapping = parse_mapping(text.substr(0, end))) take(text.substr(0, end + 1), *mapping);
      text.remove_prefix(end + 1);
    }
    if (text.size() == maps_buffer.size()) return 0;  // no line of the kernel's is that long
    std::memmove(maps_buffer.data(), text.data(), text.size());
    return text.size();
  }

  void take(std::string_view line, const Mapping &mapping) {
    if (pass_ == Pass::Look) {
      look_for_file(mapping);
      look_for_stack(mapping);
    } else if (pass_of(mapping) == pass_ && (mapping.executable || (mapping.offset == 0 && is_of_file(mapping)))) {
      keep(line, mapping);
    }
  }

  void look_for_file(const Mapping &mapping) {
    if (!has_pc(mapping) || !is_of_file(mapping)) return;
    own_size_ = std::min(mapping.path.size(), path_buffer.size());
    std::memcpy(path_buffer.data(), mapping.path.data(), own_size_);
  }

  void look_for_stack(const Mapping &mapping) {
    if (stack_end_ != 0 || !mapping.writable || !mapping.readable || mapping.end <= note_.sp) return;
    if (mapping.begin > note_.sp && mapping.begin - note_.sp > kOverflow) return;
    stack_begin_ = std::max(mapping.begin, note_.sp & ~std::uint64_t{7});
    stack_end_ = mapping.end;
  }

  [[nodiscard]] static bool is_of_file(const Mapping &mapping) { return mapping.path.starts_with('/'); }
  [[nodiscard]] bool has_pc(const Mapping &mapping) const {
    return mapping.executable && mapping.begin <= note_.pc && note_.pc < mapping.end;
  }
  [[nodiscard]] Pass pass_of(const Mapping &mapping) const {
    if (has_pc(mapping)) return Pass::OwnFile;
    if (!is_of_file(mapping)) return Pass::NoFile;
    return mapping.path == std::string_view(path_buffer.data(), own_size_) ? Pass::OwnFile : Pass::OtherFiles;
  }

  // The same piece of the same file as in the line before, whose place this one then takes.
  [[nodiscard]] bool is_repeated(const Mapping &mapping) const {
    const auto last = parse_mapping(last_.substr(0, std::max<std::size_t>(last_.size(), 1) - 1));
    return last && !has_pc(*last) && is_of_file(mapping) && last->path == mapping.path &&
           last->offset == mapping.offset && last->executable == mapping.executable;
  }

  void keep(std::string_view line, const Mapping &mapping) {
    const std::size_t at = note_.modules_size - (is_repeated(mapping) ? last_.size() : 0);
    if (at + line.size() > kCrashModulesRoom) return;
    std::memcpy(modules_ + at, line.data(), line.size());
    last_ = {modules_ + at, line.size()};
    note_.modules_size = static_cast<std::uint32_t>(at + line.size());
  }

  CrashNote &note_;
  char *modules_;
  Pass pass_ = Pass::Look;
  std::string_view last_;     // line that was kept
  std::size_t own_size_ = 0;  // of the path of the file that was at work
  std::uint64_t stack_begin_ = 0;
  std::uint64_t stack_end_ = 0;
};

void store_layout(CrashNote &note) {
  std::atomic_ref(note.layout).store(kPageLayout, std::memory_order_release);
}

// What is whole is told at once: the next step may be one too many.
void capture(int signal, const siginfo_t &info, const ucontext_t &context) {
  auto &note = *reinterpret_cast<CrashNote *>(the_slot + kCrashNoteOffset);
  note.signal = signal;
  note.code = info.si_code;
  note.sender = info.si_code <= 0 ? info.si_pid : 0;
  if (note.sender == worker_pid) note.sender = 0;  // abort() and raise()
  note.address = reinterpret_cast<std::uint64_t>(info.si_addr);
  note.tid = own_tid();
  note.main_thread = note.tid == worker_pid ? 1 : 0;
  ::prctl(PR_GET_NAME, note.thread.data());
  copy_registers(note, context);
  if (signal != SIGABRT) note.exception_size = 0;  // terminate()'s words end in abort()
  store_layout(note);

  MapsReader maps(note, the_slot + kCrashModulesOffset);
  maps.read();
  if (maps.stack_end() == 0) return;
  const std::size_t size = std::min<std::size_t>(maps.stack_end() - maps.stack_begin(), kCrashStackRoom);
  copy_words(the_slot + kCrashStackOffset, maps.stack_begin(), size);
  note.stack_address = maps.stack_begin();
  std::atomic_ref(note.stack_size).store(static_cast<std::uint32_t>(size), std::memory_order_release);
}

void on_crash(int signal, siginfo_t *info, void *context) {
  if (::getpid() != worker_pid) die(signal, info);
  pid_t other = 0;
  if (!crashing_thread.compare_exchange_strong(other, own_tid())) {
    if (other == own_tid()) die(first_signal, &first_info);  // writing it down has crashed
    ::nanosleep(&kPatience, nullptr);                        // its death is ours
    die(signal, info);
  }
  first_info = *info;
  first_signal = signal;
  capture(signal, *info, *static_cast<const ucontext_t *>(context));
  die(signal, info);
}

// Before abort(), which takes the stack with it: an exception that nobody caught is still where it was thrown.
std::string exception_words() {
  const std::type_info *type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "std::terminate was called";
  int failed = 0;
  char *readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, &failed);
  std::string words = std::string("uncaught ") + (readable != nullptr ? readable : type->name());
  std::free(readable);
  try {
    throw;
  } catch (const std::exception &exception) {
    words += std::string(": ") + exception.what();
  } catch (...) {
    return words;
  }
  return words;
}

[[noreturn]] void on_terminate() {
  if (::getpid() == worker_pid) {
    auto &note = *reinterpret_cast<CrashNote *>(the_slot + kCrashNoteOffset);
    const std::string words = exception_words();
    const std::size_t size = std::min(words.size(), note.exception.size());
    std::memcpy(note.exception.data(), words.data(), size);
    note.exception_size = static_cast<std::uint32_t>(size);
  }
  if (former_terminate != nullptr) former_terminate();  // says so on standard error, too
  std::abort();
}

}  // namespace

bool notes_crashes() {
  return the_slot != nullptr;
}

void note_crashes_in(void *slot) {
  the_slot = static_cast<char *>(slot);
  worker_pid = ::getpid();
}

void catch_crashes() {
  former_terminate = std::set_terminate(on_terminate);
  stack_t stack{};
  stack.ss_sp = alternate_stack.data();
  stack.ss_size = alternate_stack.size();
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  // Not deferred: a crash within the handler must come back to it, not be the kernel's silent end.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (const int signal : kFatal) ::sigaction(signal, &action, nullptr);
}

}  // namespace hostler
