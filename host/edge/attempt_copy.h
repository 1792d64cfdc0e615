// What a slice has committed at its last checkpoint, copied: for a replay, which leaves the attempt as it is. Blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/machine.h"
#include "core/segment.h"

namespace hostler {

// Makes the folder `to`, with as much of each file of `from` as is committed, for `user` if there is one. The worker that
// wrote them may have put anything there: only regular files are read, and no link is followed.
[[nodiscard]] Result<void> copy_committed(const std::string &from, const std::vector<OutputLength> &files,
                                          const std::string &to, const std::optional<User> &user);

}  // namespace hostler
