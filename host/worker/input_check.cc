#include "worker/input_check.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace hostler {
namespace {

std::string difference(const Input &planned, const struct stat &now) {
  if (now.st_size != planned.size) return fmt::format("its size was {}, now it is {}", planned.size, now.st_size);
  if (now.st_dev != planned.device || now.st_ino != planned.inode) return "it is another file now";
  const std::int64_t mtime_ns = std::int64_t{now.st_mtim.tv_sec} * 1'000'000'000 + now.st_mtim.tv_nsec;
  return mtime_ns != planned.mtime_ns ? "it was written to" : "";
}

}  // namespace

std::string input_change(const Input &planned) {
  struct stat now {};
  const std::string what = ::stat(planned.path.c_str(), &now) == 0 ? difference(planned, now) : std::strerror(errno);
  return what.empty() ? what : fmt::format("input {} changed: {}", planned.path, what);
}

}  // namespace hostler
