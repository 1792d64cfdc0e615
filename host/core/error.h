// What went wrong, where, and what to do about it. Values travel as Result<T>; nothing in core or edge throws.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace hostler {

struct Error {
  std::string where;      // "workers.yaml:3:7: workers[0].count", a path, or empty
  std::string what;       // what is wrong, without a final full stop
  std::string hint;       // what to do, or empty
  bool may_pass = false;  // nobody's mistake: a full disk, an I/O error, want of memory or descriptors

  // One line: "WHERE: WHAT (HINT)".
  [[nodiscard]] std::string text() const {
    std::string line = where.empty() ? what : where + ": " + what;
    if (!hint.empty()) line += " (" + hint + ")";
    return line;
  }
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string where, std::string what, std::string hint = {}) {
  return tl::unexpected<Error>(Error{std::move(where), std::move(what), std::move(hint)});
}

}  // namespace hostler
