// A worker: what the template's child does from its fork to its end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "worker/channel.h"
#include "worker/shared_page.h"

namespace hostler {

// What the child inherits. All signals are blocked and have their default dispositions, but for those of
// crashes (crash_report.h); stdin is /dev/null.
struct WorkerSetUp {
  std::uint64_t worker = 0;
  std::uint32_t page = 0;
  std::string_view title;
  pid_t host = 0;  // its parent
  int channel = -1;
  int log = -1;  // becomes stdout and stderr
  int page_file = -1;
  int control = -1;  // the template's own, to be closed
};

// Waits for GO, loads the plugin, runs it, and leaves by _exit. Errors before run() are left in the page.
[[noreturn]] void worker_main(const WorkerSetUp &set_up);

// The part of it that is the same without a template: from GO to the end. `host` is its parent.
[[noreturn]] void run_worker(SharedPage &page, Channel &channel, pid_t host);

}  // namespace hostler
