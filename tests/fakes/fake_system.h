// A kernel of virtual time: forks nothing, keeps a diary, and lets a script say how each worker behaves.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/system.h"

namespace hostler {

class FakeSystem;

// One process as its script sees it. What it says is heard after the latency, and in any case before its exit is told.
struct FakeWorker {
  FakeSystem *system = nullptr;
  WorkerId id = 0;
  SpawnRequest request;
  int pid = 0;
  Start start;
  WorkerPart page;
  StopWord stop = StopWord::GoOn;
  std::uint32_t shares = 0;  // how often it was asked for a part of its lease
  std::int32_t count = 0;
  std::int64_t resident = 0;   // bytes
  std::optional<Crash> crash;  // what it leaves word of, when it dies
  bool gone = false;
  std::deque<WorkerMessage> said;  // and not heard yet

  void after(Duration delay, std::function<void()> action);  // not once it is gone
  void say(const WorkerMessage &message);
  void leave(WaitStatus status);
  // run() returned this, then the process left.
  void return_from_run(std::int32_t value);
};

// How a kind of worker behaves; the defaults are a service that comes up at once and returns 0 when it is cancelled.
struct Script {
  std::function<void(FakeWorker &)> on_start = [](FakeWorker &worker) { worker.say(Loaded{}); };
  std::function<void(FakeWorker &, const Lease &)> on_lease;
  std::function<void(FakeWorker &)> on_stop = [](FakeWorker &worker) {
    if (worker.stop == StopWord::Cancel) worker.return_from_run(0);
  };
  std::function<void(FakeWorker &, const Checkpointed &)> on_checkpointed = [](FakeWorker &, const Checkpointed &) {};
  bool survives_abort = false;
  std::function<void(FakeWorker &)> on_dismiss = [](FakeWorker &worker) { worker.leave({false, 0, false}); };
};

// A job's slice that "returns" this crashes with SIGSEGV instead.
inline constexpr std::int32_t kCrash = 1000;

// A job's worker: every slice takes `each` and ends as `verdict` says; it stops between slices when it is to drain.
Script job_script(Duration each, std::function<SliceEnded(const Lease &, Interval slice)> verdict);

class FakeSystem final : public System {
 public:
  TimePoint now() override { return now_; }
  double random() override;
  void set_alarm(std::optional<TimePoint> at) override { alarm_ = at; }
  void spawn(WorkerId worker, const SpawnRequest &request) override;
  void start(WorkerId worker, const Start &start) override;
  void lease(WorkerId worker, const Lease &lease) override;
  void checkpointed(WorkerId worker, const Checkpointed &answer) override;
  void ask_for_share(WorkerId worker) override;
  void set_count(WorkerId worker, std::int32_t count) override;
  void stop(WorkerId worker, StopWord word, int signal) override;
  void dismiss(WorkerId worker) override;
  void kill(WorkerId worker) override;
  WorkerPart page(WorkerId worker) override;
  std::int64_t resident(WorkerId worker) override;
  // Finds what was set as the backtrace of everything.
  void investigate(WorkerId worker, const std::string &entry, const std::string &report) override;

  [[nodiscard]] TimePoint time() const { return now_; }
  void serve(SystemEvents &events) { events_ = &events; }
  // What host and worker say to each other takes so long; the words in the page are there at once.
  void set_latency(Duration latency) { latency_ = latency; }
  [[nodiscard]] Duration latency() const { return latency_; }
  // By the entry's name; what is not scripted behaves as a default Script.
  void script(const std::string &entry, Script script) { scripts_[entry] = std::move(script); }
  // The next `n` forks fail with these words.
  void fail_spawns(int n, std::string words);
  // Calls the action on the virtual clock.
  void at(TimePoint time, std::function<void()> action);
  // Lets virtual time pass, event by event.
  void run_for(Duration time);
  // What investigations find, from now on, and how long they take.
  void set_backtrace(Backtrace backtrace, Duration takes) {
    backtrace_ = std::move(backtrace);
    investigation_takes_ = takes;
  }
  // The words that stood in the last investigation's report.
  [[nodiscard]] const std::string &last_report() const { return last_report_; }
  // The kernel's kill -9 from outside.
  void kill_from_outside(const std::string &entry, std::int32_t instance, int signal);

  [[nodiscard]] std::vector<FakeWorker *> alive(const std::string &entry);
  [[nodiscard]] FakeWorker *find(WorkerId worker);
  // "spawn NAME/0", "start NAME/0", "lease NAME/0 0-5", "stop NAME/0 cancel SIGTERM", "kill NAME/0" …
  [[nodiscard]] const std::vector<std::string> &diary() const { return diary_; }
  [[nodiscard]] std::int64_t count_in_diary(const std::string &line) const;
  // How often the alarm has rung.
  [[nodiscard]] std::int64_t alarms() const { return alarms_; }
  void hear(FakeWorker &worker);
  void exited(FakeWorker &worker, WaitStatus status);

 private:
  Script &script_of(const FakeWorker &worker) { return scripts_[worker.request.name]; }
  void note(const std::string &what, const FakeWorker &worker, const std::string &more = {});

  TimePoint now_{std::chrono::hours(1)};
  std::optional<TimePoint> alarm_;
  SystemEvents *events_ = nullptr;
  std::multimap<TimePoint, std::function<void()>> queue_;
  std::map<WorkerId, std::unique_ptr<FakeWorker>> workers_;
  std::vector<std::unique_ptr<FakeWorker>> of_former_hosts_;  // a new host numbers from 1 again
  std::map<std::string, Script> scripts_;
  std::vector<std::string> diary_;
  std::int64_t alarms_ = 0;
  Duration latency_{};
  int next_pid_ = 1000;
  int failing_spawns_ = 0;
  Backtrace backtrace_;
  Duration investigation_takes_{};
  std::string last_report_;
  std::string failing_words_;
  std::uint64_t random_state_ = 1;
};

}  // namespace hostler
