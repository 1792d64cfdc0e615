// What the disk refuses: for good, or for as long as something lasts that may pass.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"

namespace hostler {

// Is this errno that of a full disk, an I/O error, want of memory or descriptors?
[[nodiscard]] bool may_pass(int number);
[[nodiscard]] std::string error_words(int number);  // of an errno
// "WHERE: WHAT: the words of that errno", marked when it may pass.
[[nodiscard]] tl::unexpected<Error> errno_error(int number, std::string where, std::string_view what,
                                                std::string hint = {});

struct DiskError {
  Error error;
  int number = 0;  // the errno, or 0 when trying again is of no use
  [[nodiscard]] bool may_pass() const { return error.may_pass || hostler::may_pass(number); }
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
