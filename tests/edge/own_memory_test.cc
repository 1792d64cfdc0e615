#include "worker/own_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace hostler {
namespace {

// KiB in memory of what is mapped, without leave to write, from files: code and constants.
std::int64_t code_in_memory() {
  std::ifstream maps("/proc/self/smaps");
  std::int64_t sum = 0;
  bool counts = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' '))
      counts = line.find(" r") != std::string::npos && line.find('/') != std::string::npos &&
               line[line.find(' ') + 2] == '-';
    else if (counts && line.starts_with("Rss:"))
      sum += std::stoll(line.substr(4));
  }
  return sum;
}

TEST(OwnMemory, WhatIsGivenBackComesAgainWhenItIsNeeded) {
  const std::int64_t before = code_in_memory();
  give_back_memory();
  const std::int64_t after = code_in_memory();
  EXPECT_GT(before, 2000);
  EXPECT_LT(after, before * 3 / 4);
}

}  // namespace
}  // namespace hostler
