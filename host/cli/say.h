// What is said to a person. Any thread. Unlike fmt::print() these never throw: whether all of standard output was taken is
// asked once, at the end, and what standard error does not take is nobody's loss.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace hostler {

inline void write_text(std::FILE *to, const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), to) < text.size()) return;  // `to` remembers it
}

// To standard output: what was asked for.
template <typename... T>
void say(fmt::format_string<T...> format, T &&...arguments) {
  write_text(stdout, fmt::format(format, std::forward<T>(arguments)...));
}

// To standard error: what happens, and what went wrong.
template <typename... T>
void warn(fmt::format_string<T...> format, T &&...arguments) {
  write_text(stderr, fmt::format(format, std::forward<T>(arguments)...));
}

}  // namespace hostler
