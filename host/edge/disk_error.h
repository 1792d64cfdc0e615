// What the disk refuses: for good, or for as long as something lasts that may pass.
#pragma once

#include <string>
#include <utility>

#include "core/error.h"

namespace hostler {

struct DiskError {
  Error error;
  int number = 0;  // the errno, or 0 when trying again is of no use
  // A full disk, an I/O error, want of memory or descriptors.
  [[nodiscard]] bool may_pass() const;
};

template <typename T>
using DiskResult = tl::expected<T, DiskError>;

// "PATH: WHAT: the words of errno", as errno is now.
[[nodiscard]] tl::unexpected<DiskError> disk_failure(std::string path, const char *what);
// What no second try will mend.
[[nodiscard]] inline tl::unexpected<DiskError> disk_refusal(Error error) {
  return tl::unexpected(DiskError{std::move(error), 0});
}

}  // namespace hostler
