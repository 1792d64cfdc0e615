#include "edge/disk_error.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace hostler {

bool DiskError::may_pass() const {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case ENOMEM:
    case ENOBUFS:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case EINTR:
    case ESTALE: return true;
    default: return false;
  }
}

tl::unexpected<DiskError> disk_failure(std::string path, const char *what) {
  const int number = errno;
  return tl::unexpected(DiskError{{std::move(path), fmt::format("{}: {}", what, std::strerror(number)), {}}, number});
}

}  // namespace hostler
