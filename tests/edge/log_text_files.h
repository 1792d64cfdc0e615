// Log files as tests look at them.
#pragma once

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "temp_dir.h"

namespace hostler {

inline std::vector<std::string> lines_of(const std::string &path) {
  std::istringstream text(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

// With those of the rotated files, from the oldest on.
inline std::vector<std::string> all_lines_of(const std::string &path) {
  int oldest = 0;
  while (std::filesystem::exists(path + "." + std::to_string(oldest + 1))) ++oldest;
  std::vector<std::string> lines;
  for (int number = oldest; number >= 0; --number) {
    const auto part = lines_of(number == 0 ? path : path + "." + std::to_string(number));
    lines.insert(lines.end(), part.begin(), part.end());
  }
  return lines;
}

}  // namespace hostler
