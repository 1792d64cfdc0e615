// The stack of a crash, with names. The symboliser writes it as lines, the host reads and shows them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hostler {

struct Frame {
  std::uint64_t address = 0;
  std::string module;        // the file, or empty
  std::uint64_t offset = 0;  // in the module, as addr2line counts
  std::string function;      // or empty
  std::string file;          // or empty
  std::int32_t line = 0;
  bool inlined = false;  // the next frame's function has it inlined
  bool operator==(const Frame &) const = default;
};

struct Backtrace {
  std::vector<Frame> frames;  // the innermost first
  std::string file;           // the report's path, or empty
  std::string problem;        // why there is nothing, or not all; or empty
  bool repeated = false;  // found for another crash of the same place: its report tells of this one too; not encoded
  bool operator==(const Backtrace &) const = default;
};

// Text may come from a plugin's debug information: it is cut, and its control characters become '?'. What cannot be
// understood is left out.
[[nodiscard]] std::string encode(const Backtrace &backtrace);
[[nodiscard]] Backtrace decode_backtrace(std::string_view text);

// "#3  count_words (wordcount.cc:41) wordcount.so+0x1a2f", the file with its folder.
[[nodiscard]] std::string words(const Frame &frame, std::size_t number);
// A line for each frame, at most so many; a function that has called itself from one place many times is one line.
[[nodiscard]] std::vector<std::string> lines(const Backtrace &backtrace, std::size_t most);
// Where it happened, for one line: the innermost frame in a file of `folder` (the plugin's and its own libraries') that is
// none of a language's runtime (std::, core::, a panic's), or else the innermost there, or of all:
// "wordcount.so+0x1a2f in count_words (wordcount.cc:41)". Empty without frames.
[[nodiscard]] std::string site_words(const Backtrace &backtrace, std::string_view folder);

}  // namespace hostler
