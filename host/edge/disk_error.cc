#include "edge/disk_error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

namespace hostler {

bool may_pass(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
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

std::string error_words(int number) {
  return std::generic_category().message(number);
}

tl::unexpected<Error> errno_error(int number, std::string where, std::string_view what, std::string hint) {
  std::string words = fmt::format("{}{}{}", what, what.empty() ? "" : ": ", std::strerror(number));
  return tl::unexpected(Error{std::move(where), std::move(words), std::move(hint), may_pass(number)});
}

tl::unexpected<DiskError> disk_failure(std::string path, const char *what) {
  const int number = errno;
  return tl::unexpected(DiskError{errno_error(number, std::move(path), what).value(), number});
}

}  // namespace hostler
