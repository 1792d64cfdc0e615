#include "symbolise/unwind.h"

#include <elfutils/libdwfl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "symbolise/source_names.h"

namespace hostler {
namespace {

constexpr std::size_t kMostFrames = 100;
constexpr std::uint64_t kWord = sizeof(std::uint64_t);

struct End {
  void operator()(Dwfl *dwfl) const { dwfl_end(dwfl); }
};
using Session = std::unique_ptr<Dwfl, End>;

struct Unwinding {
  const CrashCapture *capture = nullptr;
  std::uint64_t pc = 0;
  std::array<Dwarf_Word, kMostRegisters> registers{};
  bool after_call = false;  // pc is where a call returns to
  Dwfl *dwfl = nullptr;
  Backtrace *backtrace = nullptr;
};

std::string dwfl_words() {
  const char *words = dwfl_errmsg(-1);
  return words == nullptr ? "unknown error" : words;
}

bool read_stack(const CrashCapture &capture, std::uint64_t address, Dwarf_Word &value) {
  const std::uint64_t begin = capture.note.stack_address;
  if (address < begin || capture.stack.size() < kWord || address - begin > capture.stack.size() - kWord) return false;
  std::memcpy(&value, capture.stack.data() + (address - begin), kWord);
  return true;
}

pid_t next_thread(Dwfl *, void *argument, void **state) {
  if (*state != nullptr) return 0;
  *state = argument;
  return static_cast<Unwinding *>(argument)->capture->note.tid;
}

bool read_memory(Dwfl *, Dwarf_Addr address, Dwarf_Word *value, void *argument) {
  return read_stack(*static_cast<Unwinding *>(argument)->capture, address, *value);
}

bool set_registers(Dwfl_Thread *thread, void *argument) {
  const auto &unwinding = *static_cast<Unwinding *>(argument);
  dwfl_thread_state_register_pc(thread, unwinding.pc);
  return dwfl_thread_state_registers(thread, 0, unwinding.capture->note.register_count, unwinding.registers.data());
}

int on_frame(Dwfl_Frame *frame, void *argument) {
  auto &unwinding = *static_cast<Unwinding *>(argument);
  auto &frames = unwinding.backtrace->frames;
  Dwarf_Addr pc = 0;
  bool interrupted = false;
  if (!dwfl_frame_pc(frame, &pc, &interrupted) || pc == 0) return DWARF_CB_ABORT;
  const bool after_call = frames.size() <= 1 && pc == unwinding.pc ? unwinding.after_call : !interrupted;
  for (Frame &each : name_frames(unwinding.dwfl, pc, after_call)) frames.push_back(std::move(each));
  return frames.size() < kMostFrames ? DWARF_CB_OK : DWARF_CB_ABORT;
}

constexpr Dwfl_Thread_Callbacks kThreads{next_thread, nullptr, read_memory, set_registers, nullptr, nullptr};
char *no_debug_path = nullptr;  // what libdw looks through by default
constexpr Dwfl_Callbacks kFiles{dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, dwfl_offline_section_address,
                                &no_debug_path};

// Each file that had code mapped, where it was: what follows the last mapping of its beginning. A file may have been mapped as
// data as well, as Rust's runtime maps the one that has panicked.
Session open_modules(const std::string &modules) {
  Session session(dwfl_begin(&kFiles));
  if (!session) return session;
  std::set<std::string> seen;
  std::string path;
  std::uint64_t base = 0;
  dwfl_report_begin(session.get());
  std::string_view rest = modules;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const auto mapping = parse_mapping(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!mapping || !mapping->path.starts_with('/')) continue;
    if (mapping->offset == 0) {
      path = mapping->path;
      base = mapping->begin;
    }
    if (!mapping->executable || mapping->path != path || !seen.insert(path).second) continue;
    // A file that is no ELF file, or gone, has no names: its frames stay numbers.
    (void)dwfl_report_elf(session.get(), path.c_str(), path.c_str(), -1, base, false);
  }
  dwfl_report_end(session.get(), nullptr, nullptr);
  return session;
}

// A jump to where no code is: the call that led there has left its return address.
void undo_wild_jump(Unwinding &unwinding) {
  const CrashNote &note = unwinding.capture->note;
  if (find_code(unwinding.capture->modules, unwinding.pc).is_code) return;
  Frame nowhere;
  nowhere.address = unwinding.pc;
  nowhere.function = "(no code there)";
  unwinding.backtrace->frames.push_back(nowhere);
  unwinding.after_call = true;
#if defined(__x86_64__)
  Dwarf_Word caller = 0;
  if (!read_stack(*unwinding.capture, note.sp, caller)) return;
  unwinding.pc = caller;
  unwinding.registers[7] = note.sp + kWord;
  unwinding.registers[16] = caller;
#else
  unwinding.pc = note.registers[30];
#endif
}

}  // namespace

Backtrace unwind(const CrashCapture &capture) {
  Backtrace backtrace;
  Unwinding unwinding;
  unwinding.capture = &capture;
  unwinding.pc = capture.note.pc;
  unwinding.registers = capture.note.registers;
  unwinding.backtrace = &backtrace;
  if (capture.modules.empty()) {
    backtrace.problem = "the worker could not read what it had mapped";
    return backtrace;
  }
  const Session session = open_modules(capture.modules);
  if (!session) {
    backtrace.problem = "libdw: " + dwfl_words();
    return backtrace;
  }
  unwinding.dwfl = session.get();
  undo_wild_jump(unwinding);
  if (!dwfl_attach_state(session.get(), nullptr, capture.note.tid, &kThreads, &unwinding)) {
    backtrace.problem = "libdw: " + dwfl_words();
  } else {
    // It ends where a stack does with an error, so only an empty one is worth a word.
    const int left = dwfl_getthread_frames(session.get(), capture.note.tid, on_frame, &unwinding);
    if (left < 0 && backtrace.frames.empty()) backtrace.problem = "libdw: " + dwfl_words();
  }
  if (backtrace.frames.empty()) backtrace.frames = name_frames(session.get(), unwinding.pc, unwinding.after_call);
  return backtrace;
}

}  // namespace hostler
