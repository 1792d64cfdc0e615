// Workers that are held to limits, on the real kernel: what this machine has of it.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <filesystem>
#include <thread>

#include "edge/cgroup.h"
#include "edge/fleet_harness.h"

namespace hostler {
namespace {

#ifdef HOSTLER_SANITIZED
constexpr bool kSanitized = true;  // a shadow of terabytes is address space, too
#else
constexpr bool kSanitized = false;
#endif

class LimitsTest : public testing::Test {
 protected:
  Start held(const char *what, const Limits &limits, std::map<std::string, std::string> params = {}) {
    params["do"] = what;
    params["file"] = h.dir.path("told");
    Start start = h.start_of("confined.so", std::move(params));
    start.limits = limits;
    return start;
  }

  FleetHarness h;
};

TEST_F(LimitsTest, AProcessIsHeldToWhatItsEntrySays) {
  Limits limits;
  limits.open_files = 100;
  limits.core = 0;
  const WorkerId worker = h.launch(held("tell", limits));
  h.until([&] { return !read_file(h.dir.path("told")).empty(); });
  const std::string told = read_file(h.dir.path("told"));
  EXPECT_NE(told.find("\nopen_files 100\n"), std::string::npos) << told;
  EXPECT_NE(told.find("\ncore 0\n"), std::string::npos) << told;
  h.fleet->stop(worker, StopWord::Cancel, 0);
  h.until_gone(worker);
}

TEST_F(LimitsTest, AWorkerOpensNoMoreFilesThanItMay) {
  Limits limits;
  limits.open_files = 50;
  const WorkerId worker = h.launch(held("open", limits));
  h.until_gone(worker);
  EXPECT_EQ(read_file(h.dir.path("told")), "49\n");  // the highest number
}

TEST_F(LimitsTest, MemoryBeyondTheAddressSpaceIsNotGiven) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer takes all the address space there is";
  Limits limits;
  limits.address_space = std::int64_t{256} << 20;
  const WorkerId little = h.launch(held("eat", limits, {{"bytes", "1000000"}}));
  h.until_gone(little);
  EXPECT_EQ(h.seen[little].page.returned, 0);
  const WorkerId much = h.launch(held("eat", limits, {{"bytes", "1000000000"}}));
  h.until_gone(much);
  EXPECT_EQ(h.seen[much].page.returned, 70);
  EXPECT_EQ(page_reason(h.seen[much].page), "no memory");
}

TEST_F(LimitsTest, ALimitThatCannotBeSetIsToldInsteadOfIgnored) {
  Limits limits;
  limits.open_files = std::int64_t{1} << 40;
  const WorkerId worker = h.launch(held("tell", limits));
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].page.failed_before_run, 1U);
  EXPECT_EQ(page_reason(h.seen[worker].page), "limits: cannot set open_files: Operation not permitted");
}

// Below: with cgroups, as far as this machine has them.
class CgroupTest : public LimitsTest {
 protected:
  void SetUp() override {
    place = find_cgroup_place();
    if (!place.usable()) GTEST_SKIP() << place.lacks;
  }
  static Limits grouped() {
    Limits limits;
    limits.group = true;
    return limits;
  }
  // The cgroup of the fleet, once there is one.
  [[nodiscard]] std::string folder() const {
    const std::string text = read_file(h.dir.path("cgroup"));
    return text.substr(0, text.find('\n'));
  }

  CgroupPlace place;
};

TEST_F(CgroupTest, WhatHasClosedEverythingIsDeadBeforeItsWorkersExitIsTold) {
  const std::string file = h.dir.path("pid");
  Start start = h.start_of("strays.so", {{"leave", "hermit"}, {"file", file}});
  start.limits = grouped();
  const WorkerId worker = h.launch(start);
  bool alive_at_exit = true;
  h.when_gone = [&](WorkerId) { alive_at_exit = !is_dead(read_pid(file)); };
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].status->value, SIGABRT);
  ASSERT_GT(read_pid(file), 0);
  EXPECT_FALSE(alive_at_exit);
}

TEST_F(CgroupTest, AWorkersCgroupIsGoneWithTheWorkerAndTheFleetsWithTheFleet) {
  const WorkerId worker = h.launch(held("tell", grouped()));
  h.until([&] { return !read_file(h.dir.path("told")).empty(); });
  const std::string fleet = folder();
  ASSERT_TRUE(fleet.starts_with(place.base + "/hostler-")) << fleet;
  const std::string own = fleet + "/entry-0.1";
  const std::string procs = read_file(own + "/cgroup.procs");
  EXPECT_EQ(procs, std::to_string(*h.seen[worker].pid) + "\n");
  h.fleet->stop(worker, StopWord::Cancel, 0);
  h.until_gone(worker);
  EXPECT_EQ(*h.seen[worker].status, (WaitStatus{false, 0, false}));
  EXPECT_FALSE(std::filesystem::exists(own));
  h.fleet.reset();
  EXPECT_FALSE(std::filesystem::exists(fleet));
}

TEST_F(CgroupTest, ANewFleetKillsWhatAFormerOneHasLeftInItsCgroup) {
  const std::string file = h.dir.path("pid");
  const WorkerId other = h.launch(held("tell", grouped()));
  h.until([&] { return !read_file(h.dir.path("told")).empty(); });
  const std::string fleet = folder();
  h.fleet->stop(other, StopWord::Cancel, 0);
  h.until_gone(other);
  // As if a host had died: its cgroup is there, and in it somebody who holds nothing of it.
  const pid_t left = ::fork();
  if (left == 0) {
    ::close_range(3, ~0U, 0);
    for (;;) ::pause();
  }
  const std::string own = fleet + "/left-0.7";
  ASSERT_EQ(::mkdir(own.c_str(), 0755), 0);
  write_file(own + "/cgroup.procs", std::to_string(left));
  {
    const FleetCgroups next(h.dir.path());
    EXPECT_TRUE(is_dead(left));
    EXPECT_FALSE(std::filesystem::exists(fleet));
  }
  ::waitpid(left, nullptr, 0);
}

TEST_F(CgroupTest, AWorkerThatCannotBeHeldIsNotRunAndTriedAgainLater) {
  Limits limits = grouped();
  limits.memory = 1 << 30;
  if (place.has("memory")) GTEST_SKIP() << "memory can be held here";
  const WorkerId worker = h.launch(held("tell", limits));
  h.until_gone(worker);
  EXPECT_EQ(h.seen[worker].page.failed_before_run, 2U);
  EXPECT_NE(page_reason(h.seen[worker].page).find("memory.max"), std::string::npos) << page_reason(h.seen[worker].page);
  EXPECT_EQ(read_file(h.dir.path("told")), "");
}

TEST_F(CgroupTest, AWorkerThatTakesMoreMemoryThanItMayIsKilledAndThatIsKnown) {
  if (!place.has("memory")) GTEST_SKIP() << place.lacks;
  Limits limits = grouped();
  limits.memory = std::int64_t{64} << 20;
  const WorkerId worker = h.launch(held("eat", limits, {{"bytes", "500000000"}}));
  h.until_gone(worker);
  EXPECT_EQ(*h.seen[worker].status, (WaitStatus{true, SIGKILL, false, limits.memory}));
}

TEST_F(CgroupTest, AWorkerHasNoMoreProcessesAndProcessorTimeThanItMay) {
  if (!place.has("pids") || !place.has("cpu")) GTEST_SKIP() << place.lacks;
  Limits limits = grouped();
  limits.processes = 7;
  limits.cpu = kCpuPeriod / 2;
  const WorkerId worker = h.launch(held("tell", limits));
  h.until([&] { return !read_file(h.dir.path("told")).empty(); });
  EXPECT_EQ(read_file(folder() + "/entry-0.1/pids.max"), "7\n");
  EXPECT_EQ(read_file(folder() + "/entry-0.1/cpu.max"), "50000 100000\n");
  h.fleet->stop(worker, StopWord::Cancel, 0);
  h.until_gone(worker);
}

// Where cgroups can be is read from two files of /proc; here they say what other machines say.
class CgroupPlaceTest : public testing::Test {
 protected:
  CgroupPlace find(const std::string &root, const std::string &own) {
    write_file(dir.path("mountinfo"), "24 1 0:22 / / rw - ext4 /dev/vda rw\n30 24 0:26 " + root + " " + dir.path("cg") +
                                          " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
    write_file(dir.path("own"), "4:memory:/elsewhere\n0::" + own + "\n");
    return find_cgroup_place(dir.path("mountinfo"), dir.path("own"));
  }
  void make(const std::string &cgroup, const std::string &controllers, const std::string &procs) {
    const std::string path = dir.path("cg") + cgroup;
    std::filesystem::create_directories(path);
    write_file(path + "/cgroup.type", "domain\n");
    write_file(path + "/cgroup.controllers", controllers);
    write_file(path + "/cgroup.subtree_control", "");
    write_file(path + "/cgroup.procs", procs);
  }

  TempDir dir;
};

TEST_F(CgroupPlaceTest, IsTheHostsOwnCgroupBelowItsMount) {
  make("/system.slice/hostler.service", "cpuset cpu io memory pids\n", std::to_string(::getpid()) + "\n");
  const CgroupPlace place = find("/", "/system.slice/hostler.service");
  EXPECT_EQ(place.base, dir.path("cg/system.slice/hostler.service"));
  EXPECT_TRUE(place.has("memory") && place.has("cpu") && place.has("pids"));
  EXPECT_EQ(place.lacks, "");
}

TEST_F(CgroupPlaceTest, StaysTheSameAfterTheHostHasMovedIntoItsLeaf) {
  make("/a", "memory pids cpu", "");
  EXPECT_EQ(find("/", "/a/hostler-host").base, dir.path("cg/a"));
}

TEST_F(CgroupPlaceTest, OfAContainerThatSeesOnlyItsPartIsFoundThere) {
  make("", "memory", std::to_string(::getpid()));
  const CgroupPlace place = find("/docker/abc", "/docker/abc");
  EXPECT_EQ(place.base, dir.path("cg"));
  EXPECT_TRUE(place.has("memory"));
  EXPECT_EQ(place.lacks, "the host's cgroup " + dir.path("cg") + " has no controllers for cpu, pids");
  EXPECT_FALSE(find("/docker/abc", "/docker/abcd").usable());
  EXPECT_FALSE(find("/", "/../other").usable());
}

TEST_F(CgroupPlaceTest, ThatIsSharedWithOthersGivesNoControllersAndSaysWithWhom) {
  const pid_t other = ::fork();
  if (other == 0) {
    ::execlp("sleep", "sleep", "100", nullptr);
    ::_exit(1);
  }
  while (std::filesystem::read_symlink("/proc/" + std::to_string(other) + "/exe") ==
         std::filesystem::read_symlink("/proc/self/exe"))
    std::this_thread::yield();
  make("/user.slice", "memory cpu pids", std::to_string(::getpid()) + "\n" + std::to_string(other) + "\n");
  const CgroupPlace place = find("/", "/user.slice");
  EXPECT_TRUE(place.usable());
  EXPECT_FALSE(place.has("memory"));
  EXPECT_NE(place.lacks.find("shares its cgroup"), std::string::npos) << place.lacks;
  EXPECT_NE(place.lacks.find(std::to_string(other) + " (sleep)"), std::string::npos) << place.lacks;
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
}

TEST_F(CgroupPlaceTest, ThatIsNotThereIsSaid) {
  write_file(dir.path("mountinfo"), "24 1 0:22 / / rw - ext4 /dev/vda rw\n");
  write_file(dir.path("own"), "0::/\n");
  EXPECT_EQ(find_cgroup_place(dir.path("mountinfo"), dir.path("own")).lacks, "no cgroup v2 is mounted");
  EXPECT_EQ(find("/", "/not/there").lacks.substr(0, 18), "the host's cgroup ");
}

}  // namespace
}  // namespace hostler
