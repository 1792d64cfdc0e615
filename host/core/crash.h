// What a worker that crashes leaves behind its page, as it is laid out there and as the host understands it. Pure.
//
// The slot of a worker: its page (core/page.h) | CrashNote | the top of the stack that crashed | one line of
// /proc/self/maps for each mapping of code and each beginning of a file. Written by worker/crash_report in a signal handler,
// read by the host after the death. The bytes are the worker's: nothing in them is trusted, every size is bounded here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/page.h"

namespace hostler {

inline constexpr std::size_t kCrashNoteOffset = kPageSize;
inline constexpr std::size_t kCrashStackOffset = 2 * kPageSize;
inline constexpr std::size_t kCrashStackRoom = std::size_t{64} << 10;
inline constexpr std::size_t kCrashModulesOffset = kCrashStackOffset + kCrashStackRoom;
inline constexpr std::size_t kCrashModulesRoom = kSlotSize - kCrashModulesOffset;
inline constexpr std::size_t kMostRegisters = 33;

struct CrashNote {
  std::uint32_t layout = 0;  // kPageLayout, once what stands before the stack is whole
  std::int32_t signal = 0;
  std::int32_t code = 0;      // si_code
  std::int32_t sender = 0;    // the pid that sent it; 0: nobody did, the kernel found the fault
  std::uint64_t address = 0;  // of the fault
  std::int32_t tid = 0;
  std::int32_t main_thread = 0;  // 1: it was the one of run()
  std::array<char, 16> thread{};
  std::uint32_t register_count = 0;
  std::uint32_t exception_size = 0;
  std::array<std::uint64_t, kMostRegisters> registers{};  // by their DWARF numbers; the program counter is pc
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
  std::uint64_t stack_address = 0;  // of the first byte kept
  std::uint32_t stack_size = 0;
  std::uint32_t modules_size = 0;
  std::array<char, 1024> exception{};  // of std::terminate: "uncaught std::runtime_error: nobody catches this"
};
static_assert(sizeof(CrashNote) <= kPageSize);

// The same with its two pieces of varying size.
struct CrashCapture {
  CrashNote note;
  std::string stack;
  std::string modules;
};

// Sizes brought within their bounds; `signal`: what the kernel said that the worker died of. Nothing: it left no note of
// that.
[[nodiscard]] std::optional<CrashNote> sound_note(CrashNote note, int signal);

// One string of it all, for the symboliser's stdin, and back; nothing when it is not whole.
[[nodiscard]] std::string pack(const CrashCapture &capture);
[[nodiscard]] std::optional<CrashCapture> unpack(std::string_view packed);

// One mapping of /proc/self/maps.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  std::string_view path;  // "[stack]", or empty
};
// Nothing for a line that is none. No allocation: a signal handler reads its maps with it.
[[nodiscard]] std::optional<Mapping> parse_mapping(std::string_view line) noexcept;

// Where code is: "libc.so.6" and how far from where the file begins, as addr2line counts.
struct CodePlace {
  std::string path;  // of the file; empty: in no file
  std::uint64_t offset = 0;
  bool is_code = false;  // the address can be executed
};
[[nodiscard]] CodePlace find_code(std::string_view modules, std::uint64_t address);
// "libc.so.6+0x1a2f", "0x7f00 (no code there)".
[[nodiscard]] std::string place_words(const CodePlace &place, std::uint64_t address);

// Equal for two crashes of one place: the same signal, the same files of code mapped, the same innermost code and the same
// callers of it, wherever the kernel has put them.
[[nodiscard]] std::string crash_key(const CrashCapture &capture);

// What the host understands of a note, as values and words.
struct Crash {
  int signal = 0;
  int code = 0;
  int sender = 0;
  std::uint64_t address = 0;  // of the fault; of the illegal instruction
  int tid = 0;
  bool main_thread = true;
  std::string thread;  // its name
  std::string
      detail;  // "address 0x8", "stack overflow at 0x7ffc…", "uncaught std::runtime_error: nobody catches this", or empty
  std::string site;  // "wordcount.so+0x1a2f", or empty
};
[[nodiscard]] Crash understand(const CrashCapture &capture);
// "SIGSEGV, address not mapped, at address 0x8".
[[nodiscard]] std::string signal_words(const Crash &crash);
// "thread 123 (its main one)", "thread 124 \"pool\"".
[[nodiscard]] std::string thread_words(const Crash &crash);

}  // namespace hostler
