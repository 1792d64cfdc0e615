// The process in which `hostler replay` runs a slice again: a worker without a template, whose output is the terminal's,
// so that it can be started by a debugger. `hostler` executes itself for it.
#pragma once

namespace hostler {

inline constexpr const char *kReplayCommand = "replay-worker";

// hostler replay-worker CHANNEL PAGE: the numbers of two descriptors that it inherits. Leaves as a worker does.
[[noreturn]] void replay_main(int argc, char **argv);

}  // namespace hostler
