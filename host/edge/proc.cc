#include "edge/proc.h"

#include <dirent.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>

#include <fmt/format.h>

#include "edge/text_file.h"

namespace hostler {

std::optional<ProcessStat> read_process_stat(pid_t pid) {
  const std::string text = read_text(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = text.rfind(')');  // the name may have blanks and brackets in it
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  ProcessStat stat;
  std::string other;
  const auto skip = [&](int count) {
    for (int i = 0; i < count; ++i) fields >> other;
  };
  fields >> stat.state >> stat.parent;
  skip(4);  // pgrp, session, tty_nr, tpgid
  fields >> stat.flags;
  skip(10);  // minflt to nice
  fields >> stat.threads;
  if (!fields) return std::nullopt;
  return stat;
}

std::vector<int> numbers_in(const std::string &folder) {
  std::vector<int> numbers;
  const std::unique_ptr<DIR, int (*)(DIR *)> dir(::opendir(folder.c_str()), ::closedir);
  if (!dir) return numbers;
  while (const dirent *entry = ::readdir(dir.get())) {
    int number = 0;
    const char *end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, number).ptr == end) numbers.push_back(number);
  }
  return numbers;
}

}  // namespace hostler
