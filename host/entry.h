// One entry of workers.yaml as it runs: its slots (places for workers) and what is common to services and jobs. The table
// of core/worker_state says what a slot does next; this file does it through core/system. The supervisor's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/config.h"
#include "core/exit_status.h"
#include "core/job_store.h"
#include "core/log_level.h"
#include "core/plan.h"
#include "core/restart_policy.h"
#include "core/status.h"
#include "core/system.h"
#include "core/timer_queue.h"
#include "core/vigil.h"
#include "core/worker_state.h"
#include "crash_cases.h"

namespace hostler {

class Entry;

// What every entry works with; the supervisor owns it all and outlives them.
struct Surroundings {
  System &system;
  JobStore &store;
  TimerQueue &timers;
  LogSink log;
  std::uint32_t umask = 027;
  // A fresh id whose events come to this entry.
  std::function<WorkerId(Entry &)> enroll;
  // The job whose slice must run with no other beside it, or null; and do other jobs hold nothing that they may work on?
  const Entry *alone = nullptr;
  std::function<bool(const Entry &)> others_are_idle{};
  // A worker of an entry has crashed: find out where.
  std::function<void(CrashCase)> crashed;
  // Something has changed that others may wait for: an entry is up, or has ended, or is quiet.
  std::function<void()> changed;
};

class Entry {
 public:
  Entry(Surroundings &around, PreparedEntry prepared);
  virtual ~Entry() = default;
  Entry(const Entry &) = delete;
  Entry &operator=(const Entry &) = delete;

  [[nodiscard]] const std::string &name() const { return prepared_.config.name; }
  [[nodiscard]] const EntryConfig &config() const { return prepared_.config; }
  [[nodiscard]] const Build &build() const { return prepared_.build; }
  [[nodiscard]] const PreparedEntry &prepared() const { return prepared_; }

  // Wanted from now on: starts its workers, which a failure or finish before does not hinder.
  virtual void start() = 0;
  // The same by a person's word: what failed begins anew, nobody waits for a backoff.
  void start_by_hand();
  // Why a person's start would be of no use, or empty: "has ended: succeeded".
  [[nodiscard]] virtual std::string cannot_start() const { return {}; }
  // Unwanted: all workers are stopped, with grace.
  void stop();
  // The same by a person's word, who knows by now why it had failed.
  virtual void stop_by_hand();
  // Like stop(), but a slice that runs may take as long as it takes (jobs).
  void pause();
  // Its workers make place for new ones, and what failed begins anew.
  void restart_by_hand();
  // So many workers until a reload brings another count.
  virtual void scale(std::int32_t count);
  // No more grace.
  void kill();
  // New settings. `replace`: running workers make place for new ones.
  virtual void update(PreparedEntry prepared, bool replace);

  void on_spawned(WorkerId worker, int pid);
  virtual void on_spawn_failed(WorkerId worker, const Error &error);
  virtual void on_message(WorkerId worker, const WorkerMessage &message) = 0;
  void on_garbage(WorkerId worker, const Error &error);
  void on_crash(WorkerId worker, const Crash &crash);
  virtual void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) = 0;
  // More is known about a crash: `better` are the words for its place.
  virtual void on_explained(const CrashCase &crash, const std::string &better, const Backtrace &backtrace);

  // No process of it is left, and nothing of it is on its way to the disk.
  [[nodiscard]] virtual bool is_quiet() const;
  [[nodiscard]] bool has_workers() const { return !by_worker_.empty(); }
  // Nothing is on its way up or down.
  [[nodiscard]] virtual bool is_calm() const;
  // Somebody is to leave at the end of the slice that it is in.
  [[nodiscard]] bool is_draining() const;
  // What depends on it may start.
  [[nodiscard]] virtual bool is_up() const = 0;
  // It will not be up without somebody's help.
  [[nodiscard]] virtual bool has_failed() const { return !failure_.empty(); }
  [[nodiscard]] bool is_wanted() const { return wanted_; }
  [[nodiscard]] virtual EntryStatus status() const;

  // Why it does not start yet, for status; empty when it may.
  void set_waiting(std::string words);
  // It cannot start, as what it depends on has failed; start() lifts this, and set_waiting(), when that is tried again.
  void set_blocked(const std::string &reason);
  // What changed in the file and is not applied (a held job).
  void set_held(std::string words, bool resumable = false) {
    held_ = std::move(words);
    resumable_ = resumable;
  }
  // Workers wanted: the file's count, or what a person has made of it.
  [[nodiscard]] std::int32_t count() const { return scaled_.value_or(config().count); }

 protected:
  struct Slot {
    Slot(TimerQueue &timers, std::int32_t number) : instance(number), timer(timers) {}
    std::int32_t instance;
    Desired desired = Desired::Down;
    WorkerState state = WorkerState::Stopped;
    std::optional<WorkerId> worker;
    int pid = 0;                         // 0: not spawned yet
    std::shared_ptr<const Build> build;  // what this worker loads
    bool cancelled = false;              // the stop has come to CANCEL
    bool killed_by_host = false;
    bool broke_protocol = false;  // and was killed for it
    bool ready = false;           // the plugin called ready()
    bool leaving = false;         // jobs: it told a verdict that ends the process
    bool loading = false;         // started, and has not said yet that it is about to run
    Vigil vigil;
    bool told_deadline = false;        // jobs: it was asked to stop for its time limit, and takes no more slices
    std::int64_t deadline_slice = -1;  // … in the slice that begins here
    std::string deadline;              // … in words
    std::string overdue;               // why the host ends it, or empty
    TimePoint spawned_since{};
    TimePoint running_since{};
    std::int64_t slices_given = 0;  // jobs: to this worker
    double early = 0;     // by this part of what `recycle:` allows it makes place early, so that not all do at once
    std::string spent;    // why it is to make place for a new process, or empty
    TimePoint weighed{};  // when its memory was looked at last
    RestartPolicy policy;
    std::int32_t short_lives = 0;  // processes in a row that failed within moments of their start
    bool in_turn = false;          // in Backoff with the delay over: waits for its turn to be tried again
    std::int64_t restarts = 0;
    LastExit last_exit;
    std::string crash_report;            // the path of the file about it, or empty
    std::optional<WorkerId> last_crash;  // the worker whose crash last_exit tells of
    std::unique_ptr<Crash> crash;        // of this worker, or null
    std::string note;
    Duration delay{};  // of the backoff to come
    TimerQueue::Timer timer;
  };

  // Services: CANCEL and the signal at once. Jobs: first DRAIN, the slice may end.
  [[nodiscard]] virtual bool drains() const = 0;
  virtual void fill_start(Start &start) const = 0;
  // It is in run() or should soon be: silence is suspicious.
  [[nodiscard]] virtual bool has_work(const Slot &slot) const = 0;
  // Why the entry as a whole has failed is known, or better known, or no longer true.
  virtual void failure_changed() {}
  // A slot is Failed for good: its restarts are used up.
  virtual void gave_up(Slot &slot) = 0;

  void set_desired(Slot &slot, Desired desired);
  void apply(Slot &slot, WorkerEvent event);
  void entered_run(Slot &slot);
  // As many slots as this; surplus ones are unwanted and go when their workers are gone.
  void resize(std::int32_t count);
  void drop_surplus();
  // All workers are stopped as drains() says now, also those that were given more time before.
  void call_off();
  // The whole entry stops and stays so, for this reason.
  void fail_entry(const std::string &reason);
  // Null for a worker that is no longer ours.
  [[nodiscard]] Slot *slot_of(WorkerId worker) const;
  // What is known of a worker that has left; also notes it as the slot's last exit.
  [[nodiscard]] Departure departure(const Slot &slot, const WaitStatus &status, const WorkerPart &page) const;
  void note_exit(Slot &slot, const Judgement &judgement, const Departure &departure);
  // The slot's worker was given work, or is past some of it: its watch begins anew.
  void watch_anew(Slot &slot);
  // entry_recycle.cc: why the worker is to make place for a new process, or empty. It does without being charged.
  [[nodiscard]] const std::string &why_spent(Slot &slot);
  void recycle(Slot &slot);
  // Slices that it may still be given.
  [[nodiscard]] std::int64_t slice_quota(const Slot &slot) const;
  // Restart by the policy of `restart:`, or give up; what it put off itself is no failure.
  void restart_by_policy(Slot &slot, const Judgement &judgement);
  void restart_after(Slot &slot, Duration delay);
  void forget_worker(Slot &slot);
  void log(LogLevel level, const std::string &text) const { around_.log(level, text); }
  [[nodiscard]] std::string slot_name(const Slot &slot) const;
  [[nodiscard]] std::string live_state() const;

  Surroundings &around_;
  PreparedEntry prepared_;
  std::vector<std::unique_ptr<Slot>> slots_;
  bool wanted_ = false;
  bool at_once_ = false;  // the host stops without grace
  bool patient_ = false;  // paused: who is asked to drain has no time limit for that
  std::string failure_;   // why the entry as a whole has failed, or empty
  std::string waiting_;
  bool blocked_ = false;  // failure_ is another's
  std::string held_;
  bool resumable_ = false;

 private:
  // entry_watch.cc: who is overdue.
  [[nodiscard]] VigilLimits limits(const Slot &slot) const;
  void begin_watch(Slot &slot);
  void end_loading(Slot &slot);
  [[nodiscard]] bool is_watched_in_run(const Slot &slot) const;
  void keep_watch(const Slot &slot);
  void look_at_all();
  void look_at(Slot &slot);
  void tell_deadline(Slot &slot, std::int64_t slice, const std::string &reason);
  void await_deadline(Slot &slot, Duration time, std::int64_t slice);
  void past_deadline(Slot &slot, std::int64_t slice);
  void end_overdue(Slot &slot, const std::string &reason);

  // entry_turns.cc: what crashes in a loop is started again one at a time.
  void note_life(Slot &slot, bool failed);
  void due(Slot &slot);
  void end_turn(Slot &slot);
  void give_turn();

  void begin_anew();
  void set_state(Slot &slot, WorkerState state);
  void spawn(Slot &slot);
  void begin_stop(Slot &slot);
  [[nodiscard]] bool is_draining(const Slot &slot) const;
  void limit_drain(Slot &slot);
  void watch_drain(Slot &slot);
  void press(Slot &slot);
  void replace_worker(Slot &slot);
  void cancel(Slot &slot);
  void kill_worker(Slot &slot);
  std::unordered_map<WorkerId, Slot *> by_worker_;
  std::shared_ptr<const Build> spawned_build_;  // of the workers spawned last: thousands of slots share it
  std::int32_t count_ = 0;                      // slots wanted; slots_ may still hold more
  std::optional<std::int32_t> scaled_;
  std::int32_t loading_ = 0;                 // slots whose workers are
  std::deque<std::int32_t> turns_;           // instances whose turn is to come; some may be gone by then
  std::optional<std::int32_t> in_its_turn_;  // the instance that is being tried
  TimerQueue::Timer turn_;                   // the next one's turn has come
  TimerQueue::Timer watch_;                  // the next look at all of them
  TimePoint watch_at_{};
};

}  // namespace hostler
