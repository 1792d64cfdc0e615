// The machine that this process runs on, and what the process may do to it. Blocking (name services); one thread at a time.
#pragma once

#include <optional>

#include "core/machine.h"

namespace hostler {

class ThisMachine final : public Machine {
 public:
  [[nodiscard]] const Powers &powers() override;
  [[nodiscard]] Result<User> find_user(const std::string &name) override;

 private:
  std::optional<Powers> powers_;
};

}  // namespace hostler
