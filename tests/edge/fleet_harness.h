// A fleet on the real kernel and a supervisor that only writes down what it is told.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/system.h"
#include "edge/event_loop.h"
#include "edge/fleet.h"
#include "edge/fleet_lock.h"
#include "edge/log_files.h"
#include "edge/temp_dir.h"

namespace hostler {

class FleetHarness : public SystemEvents {
 public:
  struct Seen {
    std::optional<int> pid;
    std::optional<Error> spawn_failed;
    std::vector<WorkerMessage> messages;
    std::optional<Error> garbage;
    std::optional<WaitStatus> status;
    WorkerPart page;
    std::optional<Crash> crash;
    std::optional<Backtrace> backtrace;

    template <typename M>
    [[nodiscard]] std::vector<M> all() const {
      std::vector<M> found;
      for (const WorkerMessage &message : messages)
        if (const auto *one = std::get_if<M>(&message)) found.push_back(*one);
      return found;
    }
  };

  // A machine may be so busy that ten reports of crashes take longer than a minute.
  explicit FleetHarness(const std::string &binary = HOSTLER_BINARY, Duration patience = FleetOptions{}.patience,
                        Duration few_reports_within = std::chrono::hours(1))
      : binary_(binary), patience_(patience), few_reports_within_(few_reports_within) {
    logs_ = std::move(*LogFiles::open(dir.path(), false));
    open();
  }
  ~FleetHarness() override {
    fleet.reset();
    std::filesystem::remove(pages_);
  }

  void open() {
    auto lock = FleetLock::take(dir.path(), std::chrono::seconds(10), [](const std::string &) {});
    ASSERT_TRUE(lock) << lock.error().text();
    auto opened = Fleet::create(loop, *logs_, std::move(*lock), {dir.path(), binary_, patience_, few_reports_within_});
    ASSERT_TRUE(opened) << opened.error().text();
    fleet = std::move(*opened);
    fleet->serve(*this);
    pages_ = PageFile::open(dir.path())->path();
  }

  // One that is there: 0 would be the group of the test itself.
  // False when there is none: a signal to process 0 would be for the test's whole group, and what runs it.
  [[nodiscard]] bool kill_template(int signal) const {
    const int pid = fleet->template_pid();
    return pid > 0 && ::kill(pid, signal) == 0;
  }

  // Runs the loop until it is so. A test that waits for what never comes fails, late.
  bool until(const std::function<bool()> &so) {
    const TimePoint deadline = EventLoop::now() + std::chrono::seconds(30);
    bool is_so = false;
    EventLoop::Timer look(loop);
    const std::function<void()> check = [&] {
      is_so = so();
      if (is_so || EventLoop::now() > deadline) return loop.stop();
      look.set(EventLoop::now() + std::chrono::milliseconds(2), check);
    };
    look.set(EventLoop::now(), check);
    loop.run();
    EXPECT_TRUE(is_so) << "it never came";
    return is_so;
  }
  bool until_gone(WorkerId worker) {
    return until([&] { return seen[worker].status || seen[worker].spawn_failed; });
  }

  // All the entry's settings that a test does not care for.
  [[nodiscard]] Start start_of(const std::string &plugin, std::map<std::string, std::string> params = {}) const {
    Start start;
    start.name = "entry";
    start.library = std::string(HOSTLER_TEST_PLUGINS) + "/" + plugin;
    start.plugin = plugin;
    start.cwd = dir.path();
    start.params = std::move(params);
    start.attempts_dir = dir.path("out/.attempts");
    return start;
  }
  // Spawns a worker and lets it go as soon as it is there.
  WorkerId launch(Start start) {
    const WorkerId worker = ++last_;
    starts_[worker] = std::move(start);
    fleet->spawn(worker, {starts_[worker].name, starts_[worker].instance, starts_[worker].count});
    return worker;
  }
  WorkerId launch(const std::string &plugin, std::map<std::string, std::string> params = {}) {
    return launch(start_of(plugin, std::move(params)));
  }
  [[nodiscard]] std::string log() const { return read_file(dir.path("logs/entry.log")); }

  void on_spawned(WorkerId worker, int pid) override {
    seen[worker].pid = pid;
    if (const auto found = starts_.find(worker); found != starts_.end()) fleet->start(worker, found->second);
  }
  void on_spawn_failed(WorkerId worker, const Error &error) override {
    seen[worker].spawn_failed = error;
    if (when_spawn_failed) when_spawn_failed(worker);
  }
  void on_message(WorkerId worker, const WorkerMessage &message) override {
    seen[worker].messages.push_back(message);
    if (when_told) when_told(worker, message);
  }
  void on_garbage(WorkerId worker, const Error &error) override { seen[worker].garbage = error; }
  void on_crash(WorkerId worker, const Crash &crash) override {
    seen[worker].crash = crash;
    fleet->investigate(worker, "entry", "it crashed\n");
  }
  void on_backtrace(WorkerId worker, const Backtrace &backtrace) override { seen[worker].backtrace = backtrace; }
  void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) override {
    seen[worker].status = status;
    seen[worker].page = page;
    if (when_gone) when_gone(worker);
  }
  void on_alarm() override { ++alarms; }

  TempDir dir;
  EventLoop loop;
  std::unique_ptr<Fleet> fleet;
  std::map<WorkerId, Seen> seen;
  int alarms = 0;
  std::function<void(WorkerId, const WorkerMessage &)> when_told;
  std::function<void(WorkerId)> when_gone;
  std::function<void(WorkerId)> when_spawn_failed;

 private:
  std::string binary_;
  Duration patience_;
  Duration few_reports_within_;
  std::unique_ptr<LogFiles> logs_;
  std::string pages_;
  std::map<WorkerId, Start> starts_;
  WorkerId last_ = 0;
};

}  // namespace hostler
