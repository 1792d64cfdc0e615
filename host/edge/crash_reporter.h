// What workers that crashed have left, from the death to the backtrace: kept until somebody asks for an investigation,
// then handed to the symboliser, one at a time, with the name of the file that the report becomes,
// STATE/crashes/ENTRY/TIME-PID.txt. An entry that crashes in a loop gets few reports a minute, so that it costs the others
// nothing: crashes of a place that is known already (core/crash.h, crash_key) are told what was found there. The loop's
// thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

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

  // An entry gets few reports within `within`.
  CrashReporter(EventLoop &loop, std::string state_dir, std::string symboliser, Duration within);

  // Few are kept, the latest.
  void keep(WorkerId worker, std::int32_t pid, CrashCapture capture);
  // A child of this process; 0: none at the moment.
  [[nodiscard]] pid_t symboliser_pid() const { return symboliser_.pid(); }
  // `found` is called once, from the loop, never from within. When too many crashes wait, the oldest goes without.
  void investigate(WorkerId worker, const std::string &entry, const std::string &report, Found found);

 private:
  struct Kept {
    WorkerId worker = 0;
    std::int32_t pid = 0;
    CrashCapture capture;
  };
  struct Asker {
    WorkerId worker = 0;
    Found found;
  };
  struct Case {
    std::string entry;
    std::string key;
    CrashCapture capture;
    std::string words;
    std::string file;
    std::vector<Asker> askers;  // the first is the one whose crash it is
  };
  struct Known {
    std::string entry;
    std::string key;
    Backtrace backtrace;
  };

  [[nodiscard]] std::size_t reports_of_late(const std::string &entry, TimePoint now);
  [[nodiscard]] const Backtrace *known(const std::string &entry, const std::string &key) const;
  void remember(const Case &done, const Backtrace &backtrace);
  void make_room(const std::string &entry);
  void begin_next();
  void finish(const Backtrace &backtrace);
  // From the loop, later.
  void tell(Asker asker, Backtrace backtrace);

  EventLoop &loop_;
  std::string state_dir_;
  Duration within_;
  std::deque<Kept> kept_;
  std::map<std::string, std::deque<TimePoint>> reports_;  // of late, by entry
  std::list<Case> cases_;                                 // the first one is with the symboliser
  std::deque<Known> known_;                               // the latest last
  Symboliser symboliser_;
};

}  // namespace hostler
