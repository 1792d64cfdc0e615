// How to ask a worker that hangs where it is: by a signal that its crash report (worker/crash_report) hears. A plugin may
// have blocked SIGABRT, or all signals, or ignore it.
#pragma once

#include <sys/types.h>

namespace hostler {

// The signal to send to this child, which is not going on afterwards: SIGABRT, or one like it that it neither ignores nor
// leaves to the kernel. Its main thread blocks none any more, unless a debugger has it. Takes a few milliseconds at most.
[[nodiscard]] int last_question_for(pid_t pid);

}  // namespace hostler
