// The one exception of the veneer, and the words for a failed system or host call.
// Any thread may throw it; it only ends run() when it leaves the function given to HOSTLER_RUN.
#pragma once

#include <hostler/plugin.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace hostler {

/// Ends run() with a verdict of your choice: `throw Verdict(HOSTLER_BAD_DATA, "line 3 is not JSON")`.
/// The words are what fail() is told. Every other exception is HOSTLER_ERROR.
class Verdict : public std::runtime_error {
 public:
  Verdict(int code, const std::string &why) : std::runtime_error(why), code_(code) {}

  int code() const noexcept { return code_; }

 private:
  int code_;
};

namespace detail {

/// Throws "WHAT: why" for an errno value: HOSTLER_RETRY_LATER for a full disk, else HOSTLER_ERROR.
[[noreturn]] inline void throw_errno(const std::string &what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  throw Verdict(full ? HOSTLER_RETRY_LATER : HOSTLER_ERROR, what + ": " + std::strerror(error));
}

/// Passes a host call's answer on, or throws what it says.
template <class Number>
Number checked(Number answer, const char *call) {
  if (answer < 0) throw_errno(call, static_cast<int>(-answer));
  return answer;
}

}  // namespace detail
}  // namespace hostler
