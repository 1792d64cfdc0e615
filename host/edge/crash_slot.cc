#include "edge/crash_slot.h"

#include <unistd.h>

#include <string>

namespace hostler {

std::optional<CrashCapture> read_crash_slot(int file, off_t offset, int signal) {
  const auto read_at = [&](std::size_t from, void *to, std::size_t size) {
    return ::pread(file, to, size, offset + static_cast<off_t>(from)) == static_cast<ssize_t>(size);
  };
  CrashNote raw;
  if (!read_at(kCrashNoteOffset, &raw, sizeof raw)) return std::nullopt;
  const auto note = sound_note(raw, signal);
  if (!note) return std::nullopt;
  CrashCapture capture{*note, std::string(note->stack_size, '\0'), std::string(note->modules_size, '\0')};
  if (!read_at(kCrashStackOffset, capture.stack.data(), capture.stack.size()) ||
      !read_at(kCrashModulesOffset, capture.modules.data(), capture.modules.size()))
    return std::nullopt;
  return capture;
}

}  // namespace hostler
