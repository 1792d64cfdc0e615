// A job's worker of the fake system that claims as a real one does, by core/claims.h, in virtual time.
#pragma once

#include <cstdint>
#include <map>

#include "fakes/fake_system.h"

namespace hostler {

struct Claiming {
  Duration each = std::chrono::milliseconds(10);  // for a unit
  std::int64_t units = 1;                         // in one claim
  // How often each position was claimed, whatever became of it.
  std::map<std::int64_t, int> *claimed = nullptr;
};

// Every slice leaves as its result "LAST POSITION + 1" of what it has claimed, and counts it as "positions".
Script claiming_script(const Claiming &claiming);

}  // namespace hostler
