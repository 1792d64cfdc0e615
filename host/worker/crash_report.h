// Catches a worker's crash, whichever thread's: what happened, the registers, the top of the stack and what was mapped go
// into the worker's slot (core/crash.h). Then the process dies of the same signal, so that the host sees the true status
// and a core is dumped where cores are wanted. The host has the stack unwound and named after the death, elsewhere: the
// handler itself only copies, allocates nothing, takes no lock and trusts no heap.
//
// It runs on a stack of its own, on the main thread and on those that are started by pthread_create() (thread_start.cc). A plugin
// that installs a handler of its own keeps it. A crash of a process that the plugin forked is not the worker's.
#pragma once

namespace hostler {

// To be called once, on the main thread: of the template, so that its workers inherit it all and pay nothing for it. A
// crash before note_crashes_in() is an ordinary death.
void catch_crashes();
// From now on crashes of this process are noted there. `slot`: kSlotSize bytes, mapped for as long as the process lives.
// Before any code of the plugin runs.
void note_crashes_in(void *slot);
// This process, or the one that forked it, notes its crashes.
[[nodiscard]] bool notes_crashes();

}  // namespace hostler
