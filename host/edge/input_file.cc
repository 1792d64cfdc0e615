#include "edge/input_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/config_place.h"
#include "edge/disk_error.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

std::int64_t nanoseconds(const timespec &time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t all = 0;
  if (__builtin_mul_overflow(std::int64_t{time.tv_sec}, kSecond, &all) ||
      __builtin_add_overflow(all, std::int64_t{time.tv_nsec}, &all))
    return time.tv_sec < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
  return all;
}

Input to_input(std::string path, const struct stat &info) {
  return Input{std::move(path), info.st_size, nanoseconds(info.st_mtim), info.st_dev, info.st_ino};
}

std::string_view kind_of(mode_t mode) {
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// Of a file of size 0. The files of /proc and their like can be read to an end that no stat tells.
Result<Input> empty_file(std::string path, int folder, const std::string &relative) {
  // Some of them (/proc/kmsg) wait until there is something to read.
  const UniqueFd file(::openat(folder, relative.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  char byte = 0;
  const ssize_t got = file ? ::read(file.get(), &byte, 1) : -1;
  struct stat info {};
  if (got < 0 || ::fstat(file.get(), &info) != 0) return unreadable(path, errno);
  if (got > 0 && info.st_size == 0)
    return fail("", fmt::format("{} says that its size is 0, and has content", in_quotes(path)),
                "what the kernel makes up cannot be cut into slices: copy it to a file, and name that");
  return to_input(std::move(path), info);
}

}  // namespace

Result<Input> input_file(std::string path, int folder, const std::string &relative, const struct stat &info) {
  if (S_ISDIR(info.st_mode))
    return fail("", fmt::format("{} is a folder", in_quotes(path)),
                "write " + in_quotes(path + "/*") + " for the files in it");
  if (!S_ISREG(info.st_mode))
    return fail("", fmt::format("{} is not a regular file but {}", in_quotes(path), kind_of(info.st_mode)),
                "remove it, or write what leaves it out");
  if (::faccessat(folder, relative.c_str(), R_OK, AT_EACCESS) != 0) return unreadable(path, errno);
  if (info.st_size == 0) return empty_file(std::move(path), folder, relative);
  return to_input(std::move(path), info);
}

tl::unexpected<Error> unreadable(const std::string &path, int number) {
  return errno_error(number, "", fmt::format("the file {} cannot be read", in_quotes(path)),
                     number == EACCES ? "make it readable for the user that runs hostler" : "");
}

std::optional<Error> broken_link(const std::string &path) {
  std::string at = path;
  struct stat info {};
  while (::lstat(at.c_str(), &info) != 0) {  // up to what is there
    const std::size_t slash = at.find_last_of('/');
    if (slash == std::string::npos || slash == 0) return {};
    at.resize(slash);
  }
  if (!S_ISLNK(info.st_mode) || ::stat(at.c_str(), &info) == 0) return {};
  const int why = errno;
  char target[PATH_MAX];
  const ssize_t length = ::readlink(at.c_str(), target, sizeof target);
  if (length < 0) return {};  // it has just been removed
  const std::string_view to(target, static_cast<std::size_t>(length));
  return errno_error(why, "", fmt::format("the link {} points to {}", in_quotes(at), in_quotes(to)),
                     "remove the link, or put what it points to in its place")
      .value();
}

}  // namespace hostler
