// A folder of a test's own, gone with it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace hostler {

class TempDir {
 public:
  TempDir() : path_((std::filesystem::temp_directory_path() / "hostler-test-XXXXXX").string()) {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string &path() const { return path_; }
  [[nodiscard]] std::string path(const std::string &name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string &path, const std::string &text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A zombie counts as dead: who reaps it is not the test's affair. So does what is on its way to be one: it has closed its
// files, and never runs again.
inline bool is_dead(int pid) {
  constexpr unsigned kExiting = 4;  // the kernel's PF_EXITING, in proc(5)'s `flags`
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return true;
  std::istringstream fields(stat.substr(name_end + 2));
  char state = 0;
  int skipped = 0;
  unsigned flags = 0;
  fields >> state >> skipped >> skipped >> skipped >> skipped >> skipped >> flags;
  return state == 'Z' || state == 'X' || (flags & kExiting) != 0;
}

inline int read_pid(const std::string &path) {
  const std::string text = read_file(path);
  return text.empty() ? 0 : std::stoi(text);
}

}  // namespace hostler
