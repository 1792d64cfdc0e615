// A machine that can do everything, unless a test says otherwise: root, with every cgroup controller, and a user "nobody".
#pragma once

#include <limits>
#include <map>
#include <string>

#include "core/machine.h"

namespace hostler {

class AnyMachine final : public Machine {
 public:
  const Powers &powers() override { return can; }
  Result<User> find_user(const std::string &name) override {
    const auto found = users.find(name);
    if (found == users.end()) return fail({}, "there is no user " + name, "name one that is there");
    return found->second;
  }

  Powers can{
      0,    true, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max(), true, true, true,
      true, ""};
  std::map<std::string, User> users{{"nobody", {"nobody", 65534, 65534, {65534}, "/nonexistent"}},
                                    {"root", {"root", 0, 0, {0}, "/root"}}};
};

}  // namespace hostler
