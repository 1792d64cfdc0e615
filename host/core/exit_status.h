// How a worker left, and what that means: the table of docs/design.md as pure functions, with words.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/attempt.h"
#include "core/config.h"
#include "core/messages.h"
#include "core/page.h"

namespace hostler {

// As waitid told it.
struct WaitStatus {
  bool signaled = false;
  int value = 0;  // exit code, or termination signal
  bool core = false;
  std::int64_t out_of_memory = -1;  // not of waitid: the kernel killed it at this limit of its cgroup, in bytes
  WorkerUsage usage{};              // what it has cost; no part of how it left
  bool operator==(const WaitStatus &other) const {
    return signaled == other.signaled && value == other.value && core == other.core &&
           out_of_memory == other.out_of_memory;
  }
};

// By what its own code did: an exit, a fault, the limit of its memory. Any other signal may be somebody else's.
[[nodiscard]] bool is_own_doing(const WaitStatus &status);

enum class Verdict {
  Done,          // commit; a service is reaped
  BadData,       // quarantine the slice (service: stop the entry)
  Failure,       // restart with backoff, counted
  RetryLater,    // after a delay, bounded by max_temporary
  NoRoom,        // the disk of its outputs is full: again when there is room; not counted
  BadConfig,     // stop this entry
  Yield,         // go on from where it stood
  Crash,         // counted
  OutOfMemory,   // killed by someone else; counted
  Timeout,       // killed by the host for taking too long; counted
  Interrupted,   // left because the host was stopping it; not counted
  LoadFailure,   // the plugin cannot be loaded: stop this entry
  LoadLater,     // the plugin could not be loaded for want of memory or descriptors: again with backoff
  InputChanged,  // stop this entry
};

// "done", "failure", …: for status and ledger; round-trips.
[[nodiscard]] std::string_view name(Verdict verdict);
// The same as people and scripts are told it of a process that is gone: "probably out of memory" of a SIGKILL that no cgroup
// has counted, as it may have come from anybody.
[[nodiscard]] std::string_view told_name(Verdict verdict, const WaitStatus &status);

struct Judgement {
  Verdict verdict = Verdict::Done;
  std::string reason;      // words for log, ledger and status; never a bare number
  std::int32_t rule = -1;  // the rule of `on_exit:` that decided, or -1: the table did
};

// "exited with 3", "killed by SIGSEGV", "killed by SIGABRT (core dumped)"; of a crash with its detail: "killed by SIGSEGV
// (address 0x8)".
[[nodiscard]] std::string words(const WaitStatus &status, const std::string &detail = {});
// "SIGTERM", or "signal 99" for one without a name.
[[nodiscard]] std::string signal_name(int number);
// "returned 70 (HOSTLER_ERROR)".
[[nodiscard]] std::string returned_words(std::int32_t value);

// " at position 17", or " within positions 10-20": where in its slice the plugin was, as far as it said so; or empty.
[[nodiscard]] std::string position_words(const WorkerPart &page);

// What is known when a process has gone.
inline constexpr std::string_view kInMerge = "in merge()";

struct Departure {
  WaitStatus status;
  bool service = false;         // its worker has no slices
  WorkerPart page;              // as it stood at death
  bool page_known = false;      // the page is of our layout
  bool stopping = false;        // the host had asked it to stop
  bool killed_by_host = false;  // by the host's SIGKILL, at the end of the grace period
  bool at_once = false;         // … or, as the host is to stop at once, without one
  std::string overdue;          // why the host ended it: "hung: no sign of life for 30s"; empty: it did not
  bool broke_protocol = false;  // by the host's SIGKILL, for what it wrote into its channel
  std::string input_changed;    // how, when that has killed it; or empty
  std::string place;            // "in slice 3-16777216", kInMerge, or empty
  std::string crash_detail;     // "address 0x8", or empty (core/crash.h)
  std::string crash_site;       // "wordcount.so+0x1a2f", or empty; stands in the words of a crash
};

// The verdict on a process that left. A verdict that was *returned* from run() stands, whatever came after it. `rules`
// override the table for what the child did by itself: a returned value, an exit, a signal. What the host did to it, and
// why it could not be loaded, no rule changes.
[[nodiscard]] Judgement judge(const Departure &departure, std::span<const ExitRule> rules = {});

// The verdict on a slice whose run() returned, from what its worker told, the rule that it applied among it. `asked`:
// the host has asked the worker to stop, for whatever reason. `overdue`: why the host had told this very slice that its time is over, or empty.
// `shift`: how far the positions that its plugin knows are ahead of the job's. `advanced`: this attempt has made a
// checkpoint.
[[nodiscard]] Judgement judge(const SliceEnded &ended, bool asked, const std::string &overdue = {},
                              std::int64_t shift = 0, bool advanced = false);

}  // namespace hostler
