// A supervisor on the fake system and the in-memory ledger, and short ways to say what it is to run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fakes/fake_system.h"
#include "fakes/memory_store.h"
#include "supervisor.h"

namespace hostler {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline PreparedEntry service_entry(const std::string &name, std::int32_t count) {
  PreparedEntry entry;
  entry.config.name = name;
  entry.config.plugin = "/plugins/" + name + ".so";
  entry.config.count = count;
  entry.config.restart.jitter = 0;
  entry.build = {"b1", "/store/b1/" + name + ".so", name, "1.0", 0, 0, false, "1.0"};
  return entry;
}

// `slices` slices of ten positions.
inline PreparedEntry job_entry(const std::string &name, std::int32_t count, std::int64_t slices) {
  PreparedEntry entry = service_entry(name, count);
  entry.config.input.kind = InputKind::Range;
  entry.config.input.end = slices * 10;
  entry.config.output = "/out/" + name;
  Input numbers;
  numbers.size = slices * 10;
  entry.manifest = Manifest(InputKind::Range, {numbers}, 10, 1, 0, {}, count);
  return entry;
}

inline Crash a_crash() {
  Crash crash;
  crash.signal = SIGSEGV;
  crash.code = 1;
  crash.tid = 7;
  crash.detail = "address 0x8";
  crash.site = "libc.so.6+0x12";
  return crash;
}

inline Backtrace a_backtrace() {
  Frame frame;
  frame.module = "/store/b1/a.so";
  frame.offset = 0x34;
  frame.function = "parse";
  frame.file = "/src/parse.cc";
  frame.line = 12;
  Backtrace backtrace;
  backtrace.frames = {frame};
  backtrace.file = "/state/crashes/a/1.txt";
  return backtrace;
}

class FleetTest : public testing::Test {
 protected:
  FakeSystem system;
  MemoryStore store{system};
  std::vector<std::string> log;
  std::unique_ptr<Supervisor> supervisor;

  FleetTest() { boot(); }

  // A host starts on what the ledger has.
  void boot() { boot(store.open()); }
  void boot(std::vector<StoredJob> jobs) {
    supervisor = std::make_unique<Supervisor>(
        system, store, [this](LogLevel, const std::string &line) { log.push_back(line); }, std::move(jobs),
        store.halted());
    system.serve(*supervisor);
  }
  // kill -9 of the host: workers die with it, transactions under way are lost.
  void crash_and_boot(const std::vector<std::string> &entries) {
    store.crash();
    for (const std::string &entry : entries)
      for (FakeWorker *worker : system.alive(entry)) worker->gone = true;
    system.set_alarm(std::nullopt);
    supervisor.reset();
    boot();
  }
  Result<ReloadPlan> apply(std::vector<PreparedEntry> entries, const ReloadOptions &options = {}) {
    Prepared prepared;
    prepared.entries = std::move(entries);
    auto plans = supervisor->apply(std::move(prepared), options);
    system.run_for(milliseconds(50));
    return plans;
  }
  [[nodiscard]] EntryStatus entry(const std::string &name) const {
    for (EntryStatus &each : supervisor->status().entries)
      if (each.name == name) return std::move(each);
    return {};
  }
  [[nodiscard]] std::vector<int> pids(const std::string &name) {
    std::vector<int> pids;
    for (const FakeWorker *worker : system.alive(name)) pids.push_back(worker->pid);
    return pids;
  }
  [[nodiscard]] bool logged(const std::string &part) const {
    return std::any_of(log.begin(), log.end(),
                       [&](const std::string &line) { return line.find(part) != std::string::npos; });
  }
};

}  // namespace hostler
