// `hostler __inspect PLUGIN [UID:GID:GROUP,…]`: the throwaway process of the plugin store. A child of its own loads the
// plugin, as that user if there is one, whose
// constructors may do anything, and writes what it found (core/plugin_facts.h) to descriptor 3; then, or on SIGTERM,
// all that they have started is ended, and this process leaves as that child did.
#pragma once

namespace hostler {

inline constexpr const char *kInspectCommand = "__inspect";
inline constexpr int kInspectFd = 3;
inline constexpr int kInspectCrashFd = 4;  // a slot for its crash (core/crash.h), closed before the plugin is loaded

// The whole program; returns its exit code: 0 when facts were written, errors of the plugin included.
int inspect_main(int argc, char **argv);

}  // namespace hostler
