#include "edge/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "edge/unique_fd.h"

namespace hostler {

std::int64_t resident_bytes(pid_t pid) {
  const UniqueFd fd(::open(fmt::format("/proc/{}/statm", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 128> bytes{};
  const ssize_t size = fd ? ::read(fd.get(), bytes.data(), bytes.size()) : 0;
  if (size <= 0) return 0;
  const std::string_view text(bytes.data(), static_cast<std::size_t>(size));
  const std::size_t second = text.find(' ');
  std::int64_t pages = 0;
  if (second == std::string_view::npos) return 0;
  const char *begin = text.data() + second + 1;
  if (std::from_chars(begin, text.data() + text.size(), pages).ec != std::errc()) return 0;
  return pages * ::sysconf(_SC_PAGESIZE);
}

}  // namespace hostler
