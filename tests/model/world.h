// Lives a history through: a supervisor on the fake system and the in-memory ledger, and an oracle that looks on.
//
// What must hold at every moment: nothing is told to a worker that is not durable; no two live leases, and no two live
// workers, have the same position; what is done is not worked on again; each position stands in the ledger exactly as the
// oracle says, with all that was charged to it; who is stopped or paused gets nothing. And in the end, when the world has
// become kind: the job has ended, with the verdict that the oracle says, and its results, counters and files are those of
// the positions that are done, once each.
#pragma once

#include <string>
#include <vector>

#include "model/history.h"

namespace hostler {

// What was found, or empty: all is as it must be. `said`: all that is said and done on the way.
[[nodiscard]] std::string live(const History &history, std::vector<std::string> *said = nullptr);

// The smallest history that anything is found in, as far as taking away a little at a time leads; `found` of it.
struct Shrunk {
  History history;
  std::string found;
};
[[nodiscard]] Shrunk shrink(History history, std::string found);

}  // namespace hostler
