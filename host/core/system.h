// The seam between the supervisor and the kernel, in its own words. The real one is edge/fleet; tests/fakes has one with
// a clock and a diary of its own. One thread: the supervisor's. What the kernel has to say comes as calls of
// SystemEvents on the same thread, never from within a call of System.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/backtrace.h"
#include "core/crash.h"
#include "core/error.h"
#include "core/exit_status.h"
#include "core/job.h"
#include "core/messages.h"
#include "core/page.h"
#include "core/time.h"

namespace hostler {

// Where a worker's output goes and what its process is called.
struct SpawnRequest {
  std::string name;  // the entry
  std::int32_t instance = 0;
  std::int32_t count = 1;
};

class System {
 public:
  virtual ~System() = default;
  System() = default;
  System(const System &) = delete;
  System &operator=(const System &) = delete;

  [[nodiscard]] virtual TimePoint now() = 0;
  // Uniform in [0, 1).
  [[nodiscard]] virtual double random() = 0;
  // The one alarm: on_alarm() comes at or after `at`; nothing: none.
  virtual void set_alarm(std::optional<TimePoint> at) = 0;

  // Forks a worker that waits. on_spawned or on_spawn_failed follows.
  virtual void spawn(WorkerId worker, const SpawnRequest &request) = 0;
  // Writes the count and GO into the page, then sends.
  virtual void start(WorkerId worker, const Start &start) = 0;
  virtual void lease(WorkerId worker, const Lease &lease) = 0;
  // What became of a segment that the worker has told of, and for which it waits.
  virtual void checkpointed(WorkerId worker, const Checkpointed &answer) = 0;
  // Asks for a part of the lease that the worker has not begun: a LeaseCut may follow, or not.
  virtual void ask_for_share(WorkerId worker) = 0;
  // A service's live number of instances, for the worker's page.
  virtual void set_count(WorkerId worker, std::int32_t count) = 0;
  // Writes the stop word into the page, unless a higher one stands there; `signal` not 0: then sends it to the worker.
  virtual void stop(WorkerId worker, StopWord word, int signal) = 0;
  // No more leases: the worker leaves when it has ended the slice it is in. It may still be answered.
  virtual void dismiss(WorkerId worker) = 0;
  // SIGKILL to its whole group.
  virtual void kill(WorkerId worker) = 0;
  [[nodiscard]] virtual WorkerPart page(WorkerId worker) = 0;
  // Resident memory of the worker's process in bytes; 0: not known.
  [[nodiscard]] virtual std::int64_t resident(WorkerId worker) = 0;
  // Finds the backtrace of a crash that on_crash() told of, and keeps `report` and it in a file of the entry's.
  // on_backtrace() follows, once; it may have found nothing, as what workers leave is kept for a short time only, or tell
  // what was found for another crash of the same place.
  virtual void investigate(WorkerId worker, const std::string &entry, const std::string &report) = 0;
};

class SystemEvents {
 public:
  virtual ~SystemEvents() = default;
  virtual void on_spawned(WorkerId worker, int pid) = 0;
  virtual void on_spawn_failed(WorkerId worker, const Error &error) = 0;
  virtual void on_message(WorkerId worker, const WorkerMessage &message) = 0;
  // The worker said something that cannot be right; it has been killed.
  virtual void on_garbage(WorkerId worker, const Error &error) = 0;
  // It has died of a signal and left word of that; on_exit follows at once.
  virtual void on_crash(WorkerId worker, const Crash &crash) = 0;
  // What an investigation found.
  virtual void on_backtrace(WorkerId worker, const Backtrace &backtrace) = 0;
  // Gone and reaped, its group with it; all its messages came before. The id is not used again but for on_backtrace.
  virtual void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) = 0;
  virtual void on_alarm() = 0;
};

}  // namespace hostler
