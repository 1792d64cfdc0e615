#include "core/backtrace.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/plain_text.h"

namespace hostler {
namespace {

constexpr std::size_t kMostFrames = 128;
constexpr std::size_t kMostText = 512;  // of one name

std::string_view eat(std::string_view &text, char end) {
  const std::size_t size = std::min(text.find(end), text.size());
  const std::string_view part = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return part;
}

template <typename T>
T number(std::string_view text, int base) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

std::string cut(std::string_view text) {
  return in_one_line(text.substr(0, kMostText));
}

std::string_view file_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string module_words(const Frame &frame) {
  if (frame.module.empty()) return fmt::format("{:#x}", frame.address);
  return fmt::format("{}+{:#x}", file_name(frame.module), frame.offset);
}

// Of a template's instance the name begins with what it returns: "std::string join<int>(int)".
std::string_view without_result(std::string_view function) {
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < function.size(); ++i) {
    const char c = function[i];
    if (c == '(' && depth == 0 && i > begin && function[i - 1] != ':') break;  // the parameters
    if (c == '<' || c == '(') ++depth;
    if (c == '>' || c == ')') --depth;
    if (depth < 0) break;  // operator->
    if (c == ' ' && depth == 0) begin = i + 1;
  }
  return function.substr(begin);
}

// A function of the C++ or Rust runtime that is compiled into the plugin's own file: not where a crash is to be looked for.
bool is_runtime(const Frame &frame) {
  if (frame.file.starts_with("/rustc/")) return true;
  constexpr std::array<std::string_view, 14> kPrefixes = {
      "std::",  "core::",  "alloc::",  "__rust",     "rust_begin_unwind", "rust_panic",   "_rust",
      "<std::", "<core::", "<alloc::", "_$LT$std..", "_$LT$core..",       "_$LT$alloc..", "__gnu_cxx::"};
  const std::string_view function = without_result(frame.function);
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return function.starts_with(prefix); });
}

}  // namespace

// A line each: "file\tPATH", "problem\tTEXT", "frame\tADDRESS\tOFFSET\tINLINED\tLINE\tMODULE\tFUNCTION\tFILE".
std::string encode(const Backtrace &backtrace) {
  std::string text;
  if (!backtrace.file.empty()) text += fmt::format("file\t{}\n", in_one_line(backtrace.file));
  if (!backtrace.problem.empty()) text += fmt::format("problem\t{}\n", cut(backtrace.problem));
  for (const Frame &frame : backtrace.frames)
    text += fmt::format("frame\t{:x}\t{:x}\t{}\t{}\t{}\t{}\t{}\n", frame.address, frame.offset, frame.inlined ? 1 : 0,
                        frame.line, cut(frame.module), cut(frame.function), cut(frame.file));
  return text;
}

Backtrace decode_backtrace(std::string_view text) {
  Backtrace backtrace;
  while (!text.empty() && backtrace.frames.size() < kMostFrames) {
    std::string_view line = eat(text, '\n');
    const std::string_view kind = eat(line, '\t');
    if (kind == "file") backtrace.file = in_one_line(line);
    if (kind == "problem") backtrace.problem = cut(line);
    if (kind != "frame") continue;
    Frame frame;
    frame.address = number<std::uint64_t>(eat(line, '\t'), 16);
    frame.offset = number<std::uint64_t>(eat(line, '\t'), 16);
    frame.inlined = eat(line, '\t') == "1";
    frame.line = number<std::int32_t>(eat(line, '\t'), 10);
    frame.module = cut(eat(line, '\t'));
    frame.function = cut(eat(line, '\t'));
    frame.file = cut(eat(line, '\t'));
    backtrace.frames.push_back(std::move(frame));
  }
  return backtrace;
}

std::string words(const Frame &frame, std::size_t number) {
  std::string text = fmt::format("#{:<2} {}", number, frame.function.empty() ? "??" : frame.function);
  if (!frame.file.empty()) text += fmt::format(" ({}:{})", frame.file, frame.line);
  return text + (frame.inlined ? " inlined" : " " + module_words(frame));
}

std::vector<std::string> lines(const Backtrace &backtrace, std::size_t most) {
  const auto &frames = backtrace.frames;
  std::vector<std::string> text;
  for (std::size_t i = 0; i < frames.size();) {
    if (text.size() == most) {
      text.push_back(fmt::format("and {} more", counted(std::ssize(frames) - static_cast<std::ptrdiff_t>(i), "frame")));
      break;
    }
    std::size_t next = i + 1;
    while (next < frames.size() && frames[next] == frames[i]) ++next;
    text.push_back(words(frames[i], i));
    if (next - i > 1) text.back() += fmt::format(", {} times", next - i);
    i = next;
  }
  return text;
}

std::string site_words(const Backtrace &backtrace, std::string_view folder) {
  if (backtrace.frames.empty()) return {};
  const auto is_own = [&](const Frame &frame) {
    return !folder.empty() && frame.module.starts_with(folder) && frame.module.substr(folder.size()).starts_with('/');
  };
  const auto &frames = backtrace.frames;
  auto found = std::find_if(frames.begin(), frames.end(),
                            [&](const Frame &frame) { return is_own(frame) && !is_runtime(frame); });
  if (found == frames.end()) found = std::find_if(frames.begin(), frames.end(), is_own);
  if (found == frames.end()) found = frames.begin();
  std::string text = module_words(*found);
  if (!found->function.empty()) text += " in " + found->function;
  if (!found->file.empty()) text += fmt::format(" ({}:{})", file_name(found->file), found->line);
  return text;
}

}  // namespace hostler
