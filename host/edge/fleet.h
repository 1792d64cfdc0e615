// The workers, for real: core/system.h over the kernel. A worker is held by a pidfd, spoken to over its channel, seen
// through its page; its output goes to the log files. When it has died, its whole group is killed before it is reaped, so
// that the group's number cannot be someone else's. What has left the group comes to the host, the subreaper, and is
// ended; as long as any of it holds the worker's channel, or is in the cgroup of a worker that has one, the worker's exit is
// not told.
// The loop's thread, which must be the host's main thread: its death is the workers'.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/messages.h"
#include "core/system.h"
#include "edge/cgroup.h"
#include "edge/crash_reporter.h"
#include "edge/event_loop.h"
#include "edge/fleet_lock.h"
#include "edge/log_files.h"
#include "edge/page_file.h"
#include "edge/strays.h"
#include "edge/template_process.h"
#include "edge/unique_fd.h"

namespace hostler {

struct FleetOptions {
  std::string state_dir;
  std::string binary = "/proc/self/exe";                  // the template's program
  Duration patience = std::chrono::seconds(20);           // with a template that does not answer
  Duration few_reports_within = std::chrono::minutes(1);  // of crashes, by entry
};

class Fleet final : public System {
 public:
  // Raises this process's limit of open files as far as it may go; workers get back what there was.
  [[nodiscard]] static Result<std::unique_ptr<Fleet>> create(EventLoop &loop, LogFiles &logs, FleetLock lock,
                                                             const FleetOptions &options);
  // The pages of workers that ran when the host before this one died, if it did not end by itself.
  [[nodiscard]] const std::vector<Page> &former_pages() const { return former_pages_; }
  // Who is told; to be called once, before the loop runs.
  void serve(SystemEvents &events) { events_ = &events; }
  // Kills and reaps what is left; no events come of it.
  ~Fleet() override;

  [[nodiscard]] TimePoint now() override;
  [[nodiscard]] double random() override;
  void set_alarm(std::optional<TimePoint> at) override;
  void spawn(WorkerId id, const SpawnRequest &request) override;
  void start(WorkerId id, const Start &start) override;
  void lease(WorkerId id, const Lease &lease) override;
  void checkpointed(WorkerId id, const Checkpointed &answer) override;
  void ask_for_share(WorkerId id) override;
  void set_count(WorkerId id, std::int32_t count) override;
  void stop(WorkerId id, StopWord word, int signal) override;
  void dismiss(WorkerId id) override;
  void kill(WorkerId id) override;
  [[nodiscard]] WorkerPart page(WorkerId id) override;
  [[nodiscard]] std::int64_t resident(WorkerId id) override;
  void investigate(WorkerId id, const std::string &entry, const std::string &report) override;

  // This child has died, and maybe others: some that nobody watches, as what workers start comes to us when its parent dies.
  void on_child_signal(pid_t pid);

  // Workers forked so far.
  [[nodiscard]] std::uint64_t births() const { return births_; }
  // How often a worker was forked, has said something, or was buried.
  [[nodiscard]] std::uint64_t heard() const { return heard_; }
  // 0: there is none at the moment.
  [[nodiscard]] pid_t template_pid() const { return template_.pid(); }

 private:
  struct Worker;
  Fleet(EventLoop &loop, LogFiles &logs, FleetLock lock, PageFile pages, UniqueFd binary, const FleetOptions &options,
        const rlimit &open_files);

  [[nodiscard]] Worker *find(WorkerId id);
  [[nodiscard]] Result<TemplateProcess::Order> prepare(WorkerId id);
  void write_page(const Worker &worker);
  [[nodiscard]] Result<void> confine(Worker &worker, const Limits &limits);
  [[nodiscard]] bool is_over(const Worker &worker) const;
  static void take_status(Worker &worker);
  [[nodiscard]] static WaitStatus verdict(const Worker &worker);
  [[nodiscard]] Result<void> check_descriptors() const;
  void release_page(const Worker &worker);
  void fail_spawn(WorkerId id, const Error &error);
  void on_forked(WorkerId id, const Result<int> &pid);
  void on_channel(WorkerId id);
  void on_death(WorkerId id);
  void end_the_rest(WorkerId id);
  void bury(WorkerId id);
  void on_closed_line(WorkerId id);
  void deliver(WorkerId id);
  void garbage(WorkerId id, const Error &error);
  static void kill_group(const Worker &worker);
  [[nodiscard]] std::optional<Strays::Known> known_children() const;

  EventLoop &loop_;
  SystemEvents *events_ = nullptr;
  LogFiles &logs_;
  FleetLock lock_;
  PageFile pages_;
  std::vector<Page> former_pages_;
  FleetCgroups cgroups_;
  UniqueFd binary_;
  EventLoop::Timer alarm_;
  std::uint64_t alarm_number_ = 0;  // of the one set last
  std::mt19937_64 random_;
  std::unordered_map<WorkerId, std::unique_ptr<Worker>> workers_;
  std::uint64_t births_ = 0;
  std::uint64_t heard_ = 0;
  std::size_t prepared_ = 0;        // of them: those that have a page and descriptors
  std::size_t descriptors_before_;  // those of the host when it had no workers yet
  Strays strays_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what was posted, and comes too late
  TemplateProcess template_;
  CrashReporter crashes_;
};

}  // namespace hostler
