#include "core/crash.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "core/plain_text.h"

namespace hostler {
namespace {

// Eats a hexadecimal number and the character behind it, which must be `end`.
bool eat_hex(std::string_view &text, std::uint64_t &value, char end) noexcept {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || rest == text.data() + text.size() || *rest != end) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()) + 1);
  return true;
}

void eat_word(std::string_view &text) noexcept {
  text.remove_prefix(std::min(text.find(' '), text.size()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

// Calls `visit` with each mapping; until it returns false.
template <typename Visit>
void each_mapping(std::string_view modules, Visit visit) {
  while (!modules.empty()) {
    const std::size_t end = std::min(modules.find('\n'), modules.size());
    if (const auto mapping = parse_mapping(modules.substr(0, end)); mapping && !visit(*mapping)) return;
    modules.remove_prefix(std::min(end + 1, modules.size()));
  }
}

// Faults that the kernel finds carry an address: of the memory, or of the instruction.
bool has_address(int signal, int code) {
  const bool fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
  constexpr int kFromTheKernel = 0x80;  // SI_KERNEL: it knows of no address
  return fault && code > 0 && code != kFromTheKernel;
}

// What is near the stack pointer is mapped, unless the stack has come to its end.
bool is_stack_overflow(const CrashNote &note) {
  constexpr std::uint64_t kNear = std::uint64_t{64} << 10;
  return note.signal == SIGSEGV && note.address + kNear >= note.sp && note.address <= note.sp + kNear;
}

std::string_view code_words(int signal, int code) {
  if (signal == SIGSEGV && code == 1) return "address not mapped";
  if (signal == SIGSEGV && code == 2) return "access not permitted";
  if (signal == SIGSEGV && code == 0x80) return "no valid address";
  if (signal == SIGBUS && code == 1) return "misaligned";
  if (signal == SIGBUS && code == 2) return "behind the end of the file, or no space for it";
  if (signal == SIGBUS && code == 3) return "hardware error";
  if (signal == SIGFPE && code == 1) return "integer division by zero";
  if (signal == SIGFPE && code == 2) return "integer overflow";
  if (signal == SIGFPE && code == 3) return "floating-point division by zero";
  if (signal == SIGSYS && code == 1) return "system call not allowed";
  return {};
}

}  // namespace

std::optional<CrashNote> sound_note(CrashNote note, int signal) {
  if (note.layout != kPageLayout || note.signal != signal) return std::nullopt;
  note.stack_size = static_cast<std::uint32_t>(std::min<std::size_t>(note.stack_size, kCrashStackRoom));
  note.modules_size = static_cast<std::uint32_t>(std::min<std::size_t>(note.modules_size, kCrashModulesRoom));
  note.register_count = static_cast<std::uint32_t>(std::min<std::size_t>(note.register_count, kMostRegisters));
  note.exception_size = static_cast<std::uint32_t>(std::min<std::size_t>(note.exception_size, note.exception.size()));
  return note;
}

std::string pack(const CrashCapture &capture) {
  std::string packed(sizeof(CrashNote), '\0');
  std::memcpy(packed.data(), &capture.note, sizeof(CrashNote));
  return packed + capture.stack + capture.modules;
}

std::optional<CrashCapture> unpack(std::string_view packed) {
  CrashCapture capture;
  if (packed.size() < sizeof(CrashNote)) return std::nullopt;
  std::memcpy(&capture.note, packed.data(), sizeof(CrashNote));
  packed.remove_prefix(sizeof(CrashNote));
  const auto note = sound_note(capture.note, capture.note.signal);
  if (!note || packed.size() != std::size_t{note->stack_size} + note->modules_size) return std::nullopt;
  capture.note = *note;
  capture.stack = packed.substr(0, note->stack_size);
  capture.modules = packed.substr(note->stack_size);
  return capture;
}

// "7f0c1000-7f0c2000 r-xp 00001000 fd:01 1234    /lib/libc.so.6"
std::optional<Mapping> parse_mapping(std::string_view line) noexcept {
  Mapping mapping;
  if (!eat_hex(line, mapping.begin, '-') || !eat_hex(line, mapping.end, ' ') || line.size() < 5) return std::nullopt;
  mapping.readable = line[0] == 'r';
  mapping.writable = line[1] == 'w';
  mapping.executable = line[2] == 'x';
  line.remove_prefix(5);
  if (!eat_hex(line, mapping.offset, ' ')) return std::nullopt;
  eat_word(line);  // device
  eat_word(line);  // inode
  mapping.path = line;
  return mapping;
}

CodePlace find_code(std::string_view modules, std::uint64_t address) {
  CodePlace place;
  // A file's mappings follow each other, its beginning first.
  std::string_view file;
  std::uint64_t base = 0;
  each_mapping(modules, [&](const Mapping &mapping) {
    if (mapping.offset == 0 || mapping.path != file) base = mapping.begin - mapping.offset;
    file = mapping.path;
    if (!mapping.executable || address < mapping.begin || address >= mapping.end) return true;
    place.is_code = true;
    if (!file.starts_with('/')) return false;
    place.path = file;
    place.offset = address - base;
    return false;
  });
  return place;
}

std::string place_words(const CodePlace &place, std::uint64_t address) {
  if (!place.is_code) return fmt::format("{:#x} (no code there)", address);
  if (place.path.empty()) return fmt::format("{:#x} (code of no file)", address);
  return fmt::format("{}+{:#x}", in_one_line(place.path.substr(place.path.rfind('/') + 1)), place.offset);
}

std::string crash_key(const CrashCapture &capture) {
  constexpr std::size_t kCallers = 16;  // what stands deeper is more often something else's than the crash's
  struct Code {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint64_t base;  // where its file begins
    std::string_view path;
  };
  std::vector<Code> codes;
  std::string files;
  std::uint64_t base = 0;
  std::string_view file;
  each_mapping(capture.modules, [&](const Mapping &mapping) {
    if (mapping.offset == 0 || mapping.path != file) base = mapping.begin - mapping.offset;
    file = mapping.path;
    if (!mapping.executable || !file.starts_with('/')) return true;
    codes.push_back({mapping.begin, mapping.end, base, file});
    files += fmt::format("{}\n", file);
    return true;
  });
  const auto code_at = [&](std::uint64_t address) {
    return std::find_if(codes.begin(), codes.end(),
                        [&](const Code &code) { return address >= code.begin && address < code.end; });
  };
  const auto innermost = code_at(capture.note.pc);
  std::string key = fmt::format("{} {:x}", capture.note.signal, std::hash<std::string>()(files));
  const std::string_view own = innermost == codes.end() ? std::string_view() : innermost->path;
  key += innermost == codes.end() ? std::string(" nowhere") : fmt::format(" {:x}", capture.note.pc - innermost->base);
  // Return addresses, without those of a function that calls itself or its neighbours.
  std::size_t callers = 0;
  for (std::size_t at = 0; at + sizeof(std::uint64_t) <= capture.stack.size() && callers < kCallers;
       at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, capture.stack.data() + at, sizeof word);
    const auto caller = code_at(word);
    if (caller == codes.end() || caller->path == own) continue;
    key += fmt::format(" {}:{:x}", caller - codes.begin(), word - caller->base);
    ++callers;
  }
  return key;
}

Crash understand(const CrashCapture &capture) {
  const CrashNote &note = capture.note;
  Crash crash;
  crash.signal = note.signal;
  crash.code = note.code;
  crash.sender = note.sender;
  crash.address = note.address;
  crash.tid = note.tid;
  crash.main_thread = note.main_thread != 0;
  crash.thread = in_one_line(
      {note.thread.data(),
       static_cast<std::size_t>(std::find(note.thread.begin(), note.thread.end(), '\0') - note.thread.begin())});
  if (note.exception_size != 0)
    crash.detail = in_one_line(std::string_view(note.exception.data(), note.exception_size));
  else if (has_address(note.signal, note.code))
    crash.detail = fmt::format("{} {:#x}", is_stack_overflow(note) ? "stack overflow at" : "address", note.address);
  if (!capture.modules.empty()) crash.site = place_words(find_code(capture.modules, note.pc), note.pc);
  return crash;
}

std::string signal_words(const Crash &crash) {
  std::string text = signal_name(crash.signal);
  if (const auto why = code_words(crash.signal, crash.code); !why.empty()) text += fmt::format(", {}", why);
  if (crash.sender != 0) text += fmt::format(", sent by process {}", crash.sender);
  return crash.detail.empty() ? text : text + ", " + crash.detail;
}

std::string thread_words(const Crash &crash) {
  if (crash.main_thread) return fmt::format("thread {} (the main one)", crash.tid);
  return fmt::format("thread {} \"{}\"", crash.tid, crash.thread);
}

}  // namespace hostler
