// What workers that crashed have left, from the death to the backtrace: kept until somebody asks for an investigation,
// then handed to the symboliser with the name of the file that the report becomes, STATE/crashes/ENTRY/TIME-PID.txt. An
// entry that crashes in a loop gets few reports a minute, so that it costs the others nothing. The loop's thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "core/backtrace.h"
#include "core/crash.h"
#include "core/job.h"
#include "core/time.h"
#include "edge/event_loop.h"
#include "edge/symboliser.h"

namespace hostler {

class CrashReporter {
 public:
  using Found = std::function<void(WorkerId worker, const Backtrace &backtrace)>;

  CrashReporter(EventLoop &loop, std::string state_dir, std::string symboliser);

  // Few are kept, the latest.
  void keep(WorkerId worker, std::int32_t pid, CrashCapture capture);
  // A child of this process; 0: none at the moment.
  [[nodiscard]] pid_t symboliser_pid() const { return symboliser_.pid(); }
  // `found` is called once, from the loop, never from within.
  void investigate(WorkerId worker, const std::string &entry, const std::string &report, Found found);

 private:
  struct Kept {
    WorkerId worker = 0;
    std::int32_t pid = 0;
    CrashCapture capture;
  };
  [[nodiscard]] bool may_report(const std::string &entry, TimePoint now);

  EventLoop &loop_;
  std::string state_dir_;
  std::deque<Kept> kept_;
  std::map<std::string, std::deque<TimePoint>> reports_;  // of the last minute, by entry
  Symboliser symboliser_;
};

}  // namespace hostler
