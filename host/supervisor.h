// The heart: takes events (of the kernel, of the ledger, of people) and lets the entries act on them. Owns all mutable
// state; one thread. What to do is decided in core; what is outside is reached through core/system and core/job_store.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/operator_command.h"
#include "core/plan.h"
#include "core/status.h"
#include "core/system.h"
#include "core/timer_queue.h"
#include "entry.h"

namespace hostler {

class JobEntry;

class Supervisor final : public SystemEvents {
 public:
  // `stored`: the jobs of the ledger; `halted`: the entries that an operator has stopped or paused, by the ledger.
  Supervisor(System &system, JobStore &store, LogSink log, std::vector<StoredJob> stored,
             std::map<std::string, Halt> halted = {});
  ~Supervisor() override;

  // A reload as a transaction: all of it, or an error and nothing changed. The first one starts the fleet. What it has no
  // use for is left in `prepared`.
  Result<ReloadPlan> apply(Prepared &&prepared, const ReloadOptions &options);
  // Of a reload only the jobs that the options name: they begin anew or go on, all else stays as it is.
  Result<ReloadPlan> apply_named(Prepared prepared, const ReloadOptions &options);
  // Of a reload only the builds of these jobs' plugins, if they are others; all else stays as it is. What it changed.
  ReloadPlan apply_builds(const Prepared &prepared, const std::vector<std::string> &names);
  // What apply() would do.
  [[nodiscard]] Result<ReloadPlan> preview(const Prepared &prepared, const ReloadOptions &options) const;
  // A reload was refused before it came here; kept for status and log.
  void reject(const Error &error);

  // What nothing of the jobs can become durable for (a full disk), for status; empty when it can.
  void set_waits_for(std::string trouble) { waits_for_ = std::move(trouble); }
  // A person's word. All of it is begun at once, or an error and nothing is; the names that are meant.
  Result<std::vector<std::string>> command(const OperatorCommand &command);
  // Nothing of that entry is on its way any more: how it ended, once it has. Tells of a retry once.
  [[nodiscard]] std::optional<OperatorOutcome> outcome_of(OperatorVerb verb, const std::string &name);

  // Stops everything, with grace; `stopped` is called once nothing is left. What is on its way to a disk that is full is
  // waited for a few seconds only: the next host goes on from what the ledger has.
  void stop(std::function<void()> stopped);
  // The same without grace; may follow stop().
  void stop_at_once(std::function<void()> stopped);

  // Called whenever something has changed that somebody may wait for.
  void on_settled(std::function<void()> settled) { settled_ = std::move(settled); }
  // Every job of the file has ended, and there is one.
  [[nodiscard]] bool jobs_ended() const;
  [[nodiscard]] HostStatus status() const;  // without what only the process knows (pid, paths)
  // "6 workers of 2 entries": the entries of the file, and how many workers those are to have that may run.
  [[nodiscard]] std::string size_words() const;

  void on_spawned(WorkerId worker, int pid) override;
  void on_spawn_failed(WorkerId worker, const Error &error) override;
  void on_message(WorkerId worker, const WorkerMessage &message) override;
  void on_garbage(WorkerId worker, const Error &error) override;
  void on_crash(WorkerId worker, const Crash &crash) override;
  void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) override;
  void on_backtrace(WorkerId worker, const Backtrace &backtrace) override;
  void on_alarm() override;

 private:
  // An entry on its way: it starts once the one of the same name that still runs is gone.
  struct Arrival {
    PreparedEntry prepared;
    EntryAction action = EntryAction::Add;
    std::string held;
    bool resumable = false;
  };

  [[nodiscard]] CurrentEntries current() const;
  [[nodiscard]] std::map<std::string, PlannedJob> planned() const;
  [[nodiscard]] const StoredJob *stored_job(const std::string &name) const;
  [[nodiscard]] Result<ReloadPlan> plan_reload(const Prepared &prepared, const ReloadOptions &options) const;
  [[nodiscard]] Result<void> can_resume(const PreparedEntry &wanted) const;
  void carry_out(const EntryPlan &plan, PreparedEntry *prepared);
  [[nodiscard]] OperatorTarget target(const OperatorCommand &command, const std::string &name) const;
  void obey(const OperatorCommand &command, const std::string &name);
  void scale(const std::string &name, std::int32_t count);
  void retry(JobEntry &job, const std::vector<std::string> &slices);
  [[nodiscard]] JobEntry *job_entry(const std::string &name) const;
  [[nodiscard]] Halt halt_of(const std::string &name) const;
  void set_halt(const std::string &name, Halt halt);
  void note_marked(const std::string &name, StoreBatch batch);
  [[nodiscard]] EntryStatus status_of(const Entry &entry) const;
  [[nodiscard]] bool is_at_rest(OperatorVerb verb, const Entry &entry) const;
  void change_arrival(const EntryPlan &plan, PreparedEntry prepared);
  void retire(const std::string &name);
  void arrive(const std::string &name, Arrival arrival);
  [[nodiscard]] std::unique_ptr<Entry> make_job(Arrival &arrival);
  [[nodiscard]] std::string new_job_id();

  [[nodiscard]] bool others_are_idle(const Entry &entry) const;
  void settle();
  void sweep_retired();
  void start_what_may();
  [[nodiscard]] bool prerequisites_are_up(Entry &entry) const;
  [[nodiscard]] bool is_quiet() const;
  [[nodiscard]] bool has_workers() const;
  void end_when_quiet();
  [[nodiscard]] Entry *owner(WorkerId worker) const;

  System &system_;
  LogSink log_;
  TimerQueue timers_;
  TimerQueue::Timer settle_;
  Surroundings around_;
  CrashCases crashes_;
  std::map<std::string, StoredJob> stored_;          // jobs that no entry has in hand
  std::map<std::string, std::uint64_t> next_lease_;  // of jobs that have run in this host's life
  std::unordered_map<WorkerId, Entry *> owners_;
  WorkerId last_worker_ = 0;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::map<std::string, std::unique_ptr<Entry>> retiring_;
  std::map<std::string, Arrival> arrivals_;
  std::vector<std::string> order_;               // names as in the file
  std::map<std::string, Halt> halted_;           // stopped or paused by an operator
  std::map<std::string, int> marking_;           // … changes of that on their way to the ledger
  std::map<std::string, std::string> unmarked_;  // … and why the last one did not get there
  std::map<std::string, std::int64_t> retried_;  // slices that a retry whose outcome is asked for has begun anew
  struct Scale {
    std::int32_t count = 0;
    std::int32_t instead_of = 0;
  };
  std::map<std::string, Scale> scales_;  // as long as the file's count stays what it was
  std::optional<HostConfig> host_;       // as the last reload had it
  std::string last_reload_ = "none yet";
  bool last_reload_ok_ = true;
  std::string waits_for_;
  bool stopping_ = false;
  bool waits_for_disk_ = true;  // when stopping
  TimerQueue::Timer disk_wait_;
  std::function<void()> stopped_;
  std::function<void()> settled_;
};

}  // namespace hostler
