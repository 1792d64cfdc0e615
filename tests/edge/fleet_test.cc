#include "edge/fleet.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "edge/elf_file.h"
#include "edge/fleet_harness.h"
#include "edge/pidfd.h"

namespace hostler {
namespace {

class FleetTest : public testing::Test {
 protected:
  FleetHarness h;
};

bool has_children() {
  return ::waitpid(-1, nullptr, WNOHANG | __WNOTHREAD) != -1 || errno != ECHILD;
}

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator numbers("/proc/self/fd");
  return std::distance(begin(numbers), end(numbers));
}

// 5000 of them fit below a limit of 20,000 descriptors.
TEST_F(FleetTest, SpawnsAThousandWorkersAtOnceAndReapsThemAll) {
  constexpr WorkerId kMany = 1000;
  const std::ptrdiff_t before = open_descriptors();
  int spawned = 0;
  for (WorkerId id = 10001; id <= 10000 + kMany; ++id) h.fleet->spawn(id, {"many", 0, 1});
  h.until([&] {
    spawned = static_cast<int>(
        std::count_if(h.seen.begin(), h.seen.end(), [](const auto &each) { return each.second.pid.has_value(); }));
    return spawned == static_cast<int>(kMany);
  });
  EXPECT_LE(open_descriptors(), before + 3 * static_cast<std::ptrdiff_t>(kMany));
  std::set<int> pids;
  for (const auto &[id, seen] : h.seen) pids.insert(*seen.pid);
  EXPECT_EQ(pids.size(), kMany);
  for (WorkerId id = 10001; id <= 10000 + kMany; ++id) h.fleet->dismiss(id);
  h.until([&] {
    return std::all_of(h.seen.begin(), h.seen.end(), [](const auto &each) { return each.second.status.has_value(); });
  });
  for (const auto &[id, seen] : h.seen) {
    EXPECT_EQ(*seen.status, (WaitStatus{false, 0, false}));
    EXPECT_EQ(static_cast<Stage>(seen.page.stage), Stage::Waiting);
  }
}

TEST_F(FleetTest, KillsTheGroupOfAWorkerThatDied) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "leave_a_child"}, {"file", h.dir.path("pid")}});
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].status->value, SIGABRT);
  const int child = read_pid(h.dir.path("pid"));
  ASSERT_GT(child, 0);
  h.until([&] { return is_dead(child); });
}

TEST_F(FleetTest, WhatHasLeftTheGroupIsDeadBeforeItsWorkersExitIsTold) {
  for (const char *what : {"runaway", "daemon", "printer"}) {
    const std::string file = h.dir.path(what);
    const WorkerId worker = h.launch("strays.so", {{"leave", what}, {"file", file}});
    bool alive_at_exit = true;
    h.when_gone = [&](WorkerId) { alive_at_exit = !is_dead(read_pid(file)); };
    h.until_gone(worker);
    EXPECT_EQ(h.seen[worker].status->value, SIGABRT);
    ASSERT_GT(read_pid(file), 0);
    EXPECT_FALSE(alive_at_exit) << what;
  }
}

// A process closes its end of the channel before it gives back the rest.
TEST_F(FleetTest, WhatIsKnownToBeDyingIsDeadBeforeItsWorkersExitIsTold) {
  for (const char *what : {"giant", "pair"}) {
    const std::string file = h.dir.path(what);
    const WorkerId worker = h.launch("strays.so", {{"leave", what}, {"file", file}});
    bool is_free = false;
    h.when_gone = [&](WorkerId) {
      const UniqueFd lock(::open((file + ".lock").c_str(), O_RDWR | O_CLOEXEC));
      is_free = ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
    };
    h.until_gone(worker);
    EXPECT_TRUE(is_free) << what;
  }
}

TEST_F(FleetTest, WhatHasClosedEverythingDelaysNobodyAndIsFoundALittleLater) {
  const std::string file = h.dir.path("pid");
  const WorkerId worker = h.launch("strays.so", {{"leave", "hermit"}, {"file", file}});
  h.until_gone(worker);
  const int hermit = read_pid(file);
  ASSERT_GT(hermit, 0);
  h.until([&] { return is_dead(hermit); });
}

TEST_F(FleetTest, WhatHasClosedEverythingAndForksForEverIsEnded) {
  const std::string file = h.dir.path("group");
  const WorkerId worker = h.launch("strays.so", {{"leave", "hermits"}, {"file", file}});
  h.until_gone(worker);
  const int group = read_pid(file);
  ASSERT_GT(group, 0);
  h.until([&] { return ::kill(-group, 0) != 0; });
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(FleetTest, WhatAWorkerStartedInItsGroupIsItsOwnAffairWhileItLives) {
  const std::string file = h.dir.path("pid");
  const WorkerId worker = h.launch("strays.so", {{"leave", "orphan"}, {"file", file}});
  h.until([&] { return !read_file(file).empty(); });
  // A sweep that ends what belongs to nobody leaves it alone, though it is our child.
  const WorkerId hermit = h.launch("strays.so", {{"leave", "hermit"}, {"file", h.dir.path("hermit")}});
  h.until_gone(hermit);
  h.until([&] { return is_dead(read_pid(h.dir.path("hermit"))); });
  EXPECT_FALSE(is_dead(read_pid(file)));
  h.fleet->kill(worker);
  h.until_gone(worker);
  EXPECT_TRUE(is_dead(read_pid(file)));
}

TEST_F(FleetTest, AJobsWorkerThatClosesItsLineAndLivesOnIsEnded) {
  Start start = h.start_of("strays.so", {{"leave", "line"}});
  start.job = true;
  const WorkerId worker = h.launch(start);
  Lease lease;
  lease.end = 1;
  lease.kind = InputKind::Range;
  lease.inputs = {Input{"", 1, 0, 0, 0}};
  h.when_told = [&](WorkerId told, const WorkerMessage &) { h.fleet->lease(told, lease); };
  h.until_gone(worker);
  ASSERT_TRUE(h.seen[worker].garbage);
  EXPECT_EQ(h.seen[worker].garbage->what, "closed its line to the host");
}

TEST_F(FleetTest, KillsAWorkerThatSpeaksGarbage) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "babble"}});
  h.until_gone(worker);
  ASSERT_TRUE(h.seen[worker].garbage);
  EXPECT_EQ(*h.seen[worker].status, (WaitStatus{true, SIGKILL, false}));
  EXPECT_EQ(h.seen[worker].messages, std::vector<WorkerMessage>{Loaded{}});
}

TEST_F(FleetTest, HearsOfTheDeathOfAWorkerThatClosedItsChannel) {
  Start start = h.start_of("misbehave.so", {{"do", "close_everything"}});
  start.job = true;
  const WorkerId worker = h.launch(start);
  Lease lease;
  lease.end = 1;
  lease.kind = InputKind::Range;
  lease.inputs = {Input{"", 1, 0, 0, 0}};
  h.when_told = [&](WorkerId told, const WorkerMessage &) { h.fleet->lease(told, lease); };
  h.until_gone(worker);
  EXPECT_EQ(*h.seen[worker].status, (WaitStatus{false, 70, false}));
  EXPECT_EQ(static_cast<Stage>(h.seen[worker].page.stage), Stage::Running) << "a verdict that nobody heard";
  EXPECT_EQ(page_reason(h.seen[worker].page), "the plugin has closed hostler's descriptor");
}

TEST_F(FleetTest, DeliversAllThatAWorkerSaidBeforeItDied) {
  Start start = h.start_of("misbehave.so", {{"do", "return"}, {"code", "65"}});
  start.job = true;
  const WorkerId worker = h.launch(start);
  Lease lease;
  lease.end = 20000;
  lease.kind = InputKind::Range;
  lease.inputs = {Input{"", 20000, 0, 0, 0}};
  h.when_told = [&](WorkerId told, const WorkerMessage &message) {
    if (!std::holds_alternative<Loaded>(message)) return;
    h.fleet->lease(told, lease);
    h.fleet->dismiss(told);
  };
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].all<SliceEnded>().size(), 20000U);
  EXPECT_EQ(h.seen[worker].all<LeaseEnded>().size(), 1U);
}

TEST_F(FleetTest, SendsMoreThanASocketHolds) {
  Start start = h.start_of("nothing.so");
  start.job = true;
  const WorkerId worker = h.launch(start);
  Lease lease;
  lease.end = 300000;
  lease.kind = InputKind::Items;
  lease.inputs = {Input{"", 300000, 0, 0, 0}};
  lease.items.assign(300000, "an item of some length");
  h.when_told = [&](WorkerId told, const WorkerMessage &message) {
    if (!std::holds_alternative<Loaded>(message)) return;
    h.fleet->lease(told, lease);
    h.fleet->dismiss(told);
  };
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].all<LeaseEnded>(), std::vector<LeaseEnded>({{0, 300000}}));
}

TEST_F(FleetTest, KillsAWorkerThatIsNotForkedYetAsSoonAsItIs) {
  h.fleet->spawn(900, {"entry", 0, 1});
  h.fleet->kill(900);
  h.until_gone(900);
  EXPECT_EQ(*h.seen[900].status, (WaitStatus{true, SIGKILL, false}));
}

TEST_F(FleetTest, StartsNoPluginInAWorkerThatIsAskedToStopFirst) {
  Start start = h.start_of("misbehave.so", {{"do", "null"}});
  h.fleet->spawn(901, {"entry", 0, 1});
  h.fleet->stop(901, StopWord::Cancel, SIGTERM);
  h.until([&] { return h.seen[901].pid.has_value(); });
  h.fleet->start(901, start);
  h.until_gone(901);
  EXPECT_EQ(*h.seen[901].status, (WaitStatus{false, 0, false}));
}

TEST_F(FleetTest, ReplacesATemplateThatDied) {
  const WorkerId first = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[first].all<Ready>().empty(); });
  const int old = h.fleet->template_pid();
  ASSERT_TRUE(h.kill_template(SIGKILL));
  h.until([&] { return h.fleet->template_pid() == 0; });
  EXPECT_TRUE(is_dead(old));
  const WorkerId second = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[second].all<Ready>().empty(); });
  EXPECT_NE(h.fleet->template_pid(), old);
  EXPECT_FALSE(h.seen[first].status) << "a worker outlives the template that forked it";
  h.fleet->stop(first, StopWord::Cancel, SIGTERM);
  h.until_gone(first);
  EXPECT_EQ(*h.seen[first].status, (WaitStatus{false, 0, false}));
}

// Killed while it forks: every spawn is answered one way or the other, and no process is left that nobody knows.
TEST_F(FleetTest, AnswersForEverySpawnOfATemplateThatDiesMeanwhile) {
  for (std::size_t round = 0; round < 10; ++round) {
    h.seen.clear();
    for (WorkerId id = 1001; id <= 1200; ++id) h.fleet->spawn(id, {"entry", 0, 1});
    h.until([&] { return h.seen.size() > round * 7; });
    if (h.fleet->template_pid() != 0) ::kill(h.fleet->template_pid(), SIGKILL);
    h.until([&] {
      return h.seen.size() == 200 && std::all_of(h.seen.begin(), h.seen.end(), [](const auto &each) {
               return each.second.pid || each.second.spawn_failed;
             });
    });
    for (const auto &[id, seen] : h.seen)
      if (seen.pid) h.fleet->dismiss(id);
    h.until([&] {
      return std::all_of(h.seen.begin(), h.seen.end(),
                         [](const auto &each) { return each.second.status || each.second.spawn_failed; });
    });
  }
  // What is left of children is the template, and strays that were killed and are about to be reaped.
  h.until([&] {
    int children = 0;
    for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
      const std::string status = read_file(entry.path() / "status");
      children += status.find("\nPPid:\t" + std::to_string(::getpid()) + "\n") != std::string::npos ? 1 : 0;
    }
    return children == (h.fleet->template_pid() == 0 ? 0 : 1);
  });
}

TEST_F(FleetTest, AnswersForASpawnThatTheMachineRefuses) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;
  ::setrlimit(RLIMIT_NOFILE, &none);
  h.fleet->spawn(902, {"entry", 0, 1});
  h.until_gone(902);
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(h.seen[902].spawn_failed);
  EXPECT_NE(h.seen[902].spawn_failed->text().find("Too many open files"), std::string::npos);
}

// As under a debugger: whoever traces a worker gets its status first, and passes it on when it likes.
TEST(FleetTracing, AWorkerThatIsTracedIsToldOfWhenTheTracerHasLetGo) {
  std::array<int, 2> orders{};
  std::array<int, 2> traces{};
  ASSERT_EQ(::pipe2(orders.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(traces.data(), O_CLOEXEC), 0);
  const pid_t tracer = ::fork();  // before there is a fleet, to which it would be a stray
  if (tracer == 0) {
    int pid = 0;
    ::close(orders[1]);
    if (::read(orders[0], &pid, sizeof pid) != sizeof pid) ::_exit(1);
    char byte = ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0 ? 'y' : 'n';
    if (::write(traces[1], &byte, 1) == 1) (void)!::read(orders[0], &byte, 1);  // until that is closed
    ::_exit(::waitpid(pid, nullptr, 0) == pid ? 0 : 1);
  }
  FleetHarness h;
  const WorkerId worker = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  char answer = 0;
  EXPECT_EQ(::write(orders[1], &*h.seen[worker].pid, sizeof(int)), static_cast<ssize_t>(sizeof(int)));
  EXPECT_EQ(::read(traces[0], &answer, 1), 1);
  bool is_traced = answer == 'y';
  h.fleet->kill(worker);
  EventLoop::Timer later(h.loop);
  later.set(EventLoop::now() + std::chrono::milliseconds(30), [&] {
    EXPECT_FALSE(is_traced && h.seen[worker].status);
    is_traced = false;
    ::close(orders[1]);
  });
  h.until([&] { return h.seen[worker].status && !is_traced; });
  EXPECT_EQ(*h.seen[worker].status, (WaitStatus{true, SIGKILL, false}));
  ::waitpid(tracer, nullptr, 0);
  for (const int fd : {orders[0], traces[0], traces[1]}) ::close(fd);
  if (answer != 'y') GTEST_SKIP() << "nobody may be traced here";
}

TEST(FleetTemplate, ThatHangsIsReplaced) {
  FleetHarness h(HOSTLER_BINARY, std::chrono::seconds(2));
  const WorkerId first = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[first].all<Ready>().empty(); });
  const int old = h.fleet->template_pid();
  ASSERT_TRUE(h.kill_template(SIGSTOP));
  h.fleet->spawn(2001, {"entry", 0, 1});
  h.until([&] { return h.seen[2001].spawn_failed.has_value(); });
  EXPECT_EQ(h.seen[2001].spawn_failed->what, "the template did not answer for 2s");
  EXPECT_TRUE(is_dead(old));
  const WorkerId second = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[second].all<Ready>().empty(); });
  EXPECT_FALSE(h.seen[first].status) << "a worker outlives the template that forked it";
}

// Here by somebody who hears that the last one has died, while others wait for their turn.
TEST(FleetTemplate, ThatHangsAtItsStartIsReplacedWhoeverHasStartedIt) {
  FleetHarness h(HOSTLER_BINARY, std::chrono::seconds(2));
  const WorkerId first = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return !h.seen[first].all<Ready>().empty(); });
  const int old = h.fleet->template_pid();
  ASSERT_TRUE(h.kill_template(SIGSTOP));
  h.when_spawn_failed = [&](WorkerId) {
    h.when_spawn_failed = nullptr;
    h.fleet->spawn(3000, {"entry", 0, 1});
    const int next = h.fleet->template_pid();
    ASSERT_NE(next, old);
    ASSERT_TRUE(h.kill_template(SIGSTOP));
  };
  for (WorkerId worker = 2000; worker < 2100; ++worker) h.fleet->spawn(worker, {"entry", 0, 1});
  h.until([&] { return h.seen[2099].spawn_failed && h.seen[3000].spawn_failed; });
  EXPECT_EQ(h.seen[3000].spawn_failed->what, "the template did not answer for 2s at its start");
}

// Its file is written over after the host has opened it: nothing is asked of what is there now.
TEST(FleetTemplate, OfAnotherBuildIsNotUsed) {
  TempDir dir;
  const std::string binary = dir.path("hostler");
  const std::string bytes = read_file(HOSTLER_BINARY);
  write_file(binary, bytes);
  std::filesystem::permissions(binary, std::filesystem::perms(0755));
  FleetHarness h(binary);
  const UniqueFd fd(::open(binary.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string id = read_build_id(fd.get()).value();
  ASSERT_EQ(id.size(), 40U);
  std::string raw;
  for (std::size_t i = 0; i < id.size(); i += 2) raw += static_cast<char>(std::stoi(id.substr(i, 2), nullptr, 16));
  const std::size_t at = bytes.find(raw);
  ASSERT_NE(at, std::string::npos);
  const std::string other = id.front() == 'e' ? "1e" : "ee";
  // The first one was started with the fleet, and a program that runs cannot be written to.
  ASSERT_TRUE(h.kill_template(SIGKILL));
  ASSERT_TRUE(h.until([&] { return h.fleet->template_pid() == 0; }));
  std::fstream(binary, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(static_cast<std::streamoff>(at))
      .put(static_cast<char>(std::stoi(other, nullptr, 16)));
  const WorkerId worker = h.launch("nothing.so");
  h.until_gone(worker);
  ASSERT_TRUE(h.seen[worker].spawn_failed);
  EXPECT_EQ(h.seen[worker].spawn_failed->what,
            "the template is of another build (" + other + id.substr(2) + ") than the host (" + id + ")");
}

TEST_F(FleetTest, LeavesNobodyWhenItEnds) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "ignore_stop"}});
  h.until([&] { return !h.seen[worker].all<Ready>().empty(); });
  for (WorkerId id = 2001; id <= 2100; ++id) h.fleet->spawn(id, {"entry", 0, 1});
  h.fleet.reset();
  EXPECT_FALSE(has_children());
}

TEST_F(FleetTest, LeavesNobodyWhoForksForEverWhenItEnds) {
  const std::string file = h.dir.path("group");
  h.launch("strays.so", {{"leave", "hermits"}, {"file", file}});
  h.until([&] { return !read_file(file).empty(); });
  h.fleet.reset();
  EXPECT_NE(::kill(-read_pid(file), 0), 0);
  EXPECT_FALSE(has_children());
}

TEST_F(FleetTest, ShowsThePagesOfWorkersThatLive) {
  const WorkerId worker = h.launch("misbehave.so", {{"do", "wait"}});
  h.until([&] { return h.fleet->page(worker).ready == 1; });
  EXPECT_EQ(static_cast<Stage>(h.fleet->page(worker).stage), Stage::Running);
  EXPECT_EQ(h.fleet->page(12345).layout, 0U);
}

TEST_F(FleetTest, RingsItsAlarm) {
  h.fleet->set_alarm(h.fleet->now());
  h.until([&] { return h.alarms == 1; });
  h.fleet->set_alarm(h.fleet->now());
  h.fleet->set_alarm(std::nullopt);
  h.fleet->set_alarm(h.fleet->now());
  h.until([&] { return h.alarms == 2; });
}

}  // namespace
}  // namespace hostler
