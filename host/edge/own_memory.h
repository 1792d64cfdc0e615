// The memory of this process.
#pragma once

namespace hostler {

// Gives back what was needed once and is not needed now: free heap, and the program's own code and constants, of which
// what is run again comes back from its file page by page. Some hundred microseconds now, and as much later.
void give_back_memory();

}  // namespace hostler
