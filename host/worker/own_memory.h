// The memory of this process.
#pragma once

namespace hostler {

// Gives back what was needed once and is not needed now: free heap, and the code and constants of the program and its
// libraries, of which what is run again comes back from its file, some pages at a time. Some hundred microseconds now, and
// as much later.
void give_back_memory();

}  // namespace hostler
