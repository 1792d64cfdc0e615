#include "edge/fleet_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "edge/fleet_harness.h"
#include "edge/pidfd.h"
#include "edge/temp_dir.h"

namespace hostler {
namespace {

Result<FleetLock> take(const TempDir &dir, std::string *said = nullptr) {
  return FleetLock::take(dir.path(), std::chrono::seconds(20), [said](const std::string &words) {
    if (said != nullptr) *said += words + "\n";
  });
}

// Holds whatever the test holds at this moment, until it is killed.
class Holder {
 public:
  Holder() {
    pid_ = ::fork();
    if (pid_ == 0)
      while (true) ::pause();
    pidfd_ = open_pidfd(pid_);
  }
  Holder(const Holder &) = delete;
  Holder &operator=(const Holder &) = delete;
  ~Holder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool was_killed() const { return wait_for_death(pidfd_, Duration{}); }

 private:
  pid_t pid_;
  UniqueFd pidfd_;
};

// Lets go of all but this descriptor (and the standard ones); its new number.
int hold_only(int fd) {
  ::dup2(fd, STDERR_FILENO + 1);
  ::closefrom(STDERR_FILENO + 2);
  return STDERR_FILENO + 1;
}

// Lines of processes in a group whose leader is dead: each forks the next one and leaves. All hold what the test holds at
// this moment or, with a mark, nothing, but have that in their environment. They end with this object at the latest.
class Lines {
 public:
  explicit Lines(int count, std::string mark = {}) : mark_(std::move(mark)) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    reaper_ = ::fork();
    if (reaper_ == 0) reap_all(count, ready[1]);
    ::close(ready[1]);
    EXPECT_EQ(::read(ready[0], &group_, sizeof group_), static_cast<ssize_t>(sizeof group_));
    ::close(ready[0]);
  }
  Lines(const Lines &) = delete;
  Lines &operator=(const Lines &) = delete;
  ~Lines() {
    ::kill(reaper_, SIGKILL);
    ::waitpid(reaper_, nullptr, 0);
  }
  [[nodiscard]] bool are_gone() const { return ::kill(-group_, 0) != 0 && errno == ESRCH; }

 private:
  [[noreturn]] void reap_all(int count, int ready) const {
    const pid_t reaper = ::getpid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t leader = ::fork();
    if (leader == 0) {
      ::setpgid(0, 0);
      for (int i = 0; i < count; ++i)
        if (::fork() == 0) mark_.empty() ? go_on(reaper) : go_on_marked(reaper);
      ::_exit(0);
    }
    ::waitpid(leader, nullptr, 0);
    if (::write(hold_only(ready), &leader, sizeof leader) != sizeof leader) ::_exit(1);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    while (true) ::pause();
  }
  [[noreturn]] void go_on_marked(pid_t reaper) const {
    ::closefrom(STDERR_FILENO + 1);
    const std::string pid = std::to_string(reaper);
    const std::array<const char *, 2> environment{mark_.c_str(), nullptr};
    ::execle("/bin/sh", pid.c_str(), "-c", "go_on() { kill -0 $0 && go_on & }; go_on", pid.c_str(), nullptr,
             environment.data());
    ::_exit(1);
  }
  [[noreturn]] static void go_on(pid_t reaper) {
    while (::kill(reaper, 0) == 0)
      if (::fork() > 0) ::_exit(0);
    ::_exit(0);
  }

  std::string mark_;
  pid_t reaper_;
  pid_t group_ = 0;
};

TEST(FleetLock, IsTakenWhenNobodyHasIt) {
  const TempDir dir;
  std::string said;
  const auto lock = take(dir, &said);
  ASSERT_TRUE(lock) << lock.error().text();
  EXPECT_TRUE(lock->holders().empty());
  EXPECT_EQ(said, "");
}

TEST(FleetLock, IsTakenFromProcessesThatInheritedItFromADeadHost) {
  const TempDir dir;
  auto lock = take(dir);
  ASSERT_TRUE(lock);
  const Holder one;
  const Holder two;
  auto holders = lock->holders();
  std::sort(holders.begin(), holders.end());
  std::vector<pid_t> expected{one.pid(), two.pid()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(holders, expected);
  lock = fail({}, "the host is dead");  // and its descriptor closed
  std::string said;
  lock = take(dir, &said);
  ASSERT_TRUE(lock) << lock.error().text();
  EXPECT_TRUE(one.was_killed());
  EXPECT_TRUE(two.was_killed());
  EXPECT_NE(said.find("left over from an earlier host: "), std::string::npos);
  EXPECT_NE(said.find(std::to_string(one.pid())), std::string::npos);
}

TEST(FleetLock, IsTakenFromAGroupWhoseProcessesForkAndLeaveForEver) {
  const TempDir dir;
  auto lock = take(dir);
  ASSERT_TRUE(lock);
  const Lines lines(16);
  lock = fail({}, "the host is dead");
  lock = take(dir);
  EXPECT_TRUE(lock) << lock.error().text();
}

TEST(FleetLock, SparesWhoDoesNotHoldItInTheGroupOfOneThatDoes) {
  const TempDir dir;
  auto lock = take(dir);
  ASSERT_TRUE(lock);
  std::array<int, 2> pids{};
  ASSERT_EQ(::pipe(pids.data()), 0);
  const pid_t leader = ::fork();
  if (leader == 0) {
    ::setpgid(0, 0);
    if (::fork() == 0)
      while (true) ::pause();
    const pid_t other = ::fork();
    if (other == 0) {
      const pid_t self = ::getpid();
      const bool told = ::write(hold_only(pids[1]), &self, sizeof self) == sizeof self;
      if (!told) ::_exit(1);
      while (true) ::pause();
    }
    ::_exit(0);
  }
  ::waitpid(leader, nullptr, 0);
  pid_t other = 0;
  ASSERT_EQ(::read(pids[0], &other, sizeof other), static_cast<ssize_t>(sizeof other));
  const UniqueFd stranger = open_pidfd(other);
  ::close(pids[0]);
  ::close(pids[1]);
  lock = fail({}, "the host is dead");
  lock = take(dir);
  EXPECT_TRUE(lock) << lock.error().text();
  EXPECT_FALSE(wait_for_death(stranger, Duration{}));
  EXPECT_EQ(read_file("/proc/" + std::to_string(other) + "/stat").find(") T"), std::string::npos);
  send_signal(stranger, SIGKILL);
}

TEST(FleetLock, SparesThoseWhoOnlyHaveTheFileOpen) {
  const TempDir dir;
  ASSERT_TRUE(take(dir));
  auto reader = std::make_unique<UniqueFd>(::open(dir.path("fleet.lock").c_str(), O_RDONLY | O_CLOEXEC));
  const Holder looker;
  reader.reset();
  EXPECT_TRUE(take(dir));
  EXPECT_FALSE(looker.was_killed());
}

TEST(FleetLock, SparesTheHoldersOfOtherStateFolders) {
  const TempDir dir;
  const TempDir other;
  const auto lock = take(other);
  ASSERT_TRUE(lock);
  const Holder holder;
  EXPECT_TRUE(take(dir));
  EXPECT_FALSE(holder.was_killed());
}

TEST(FleetLock, SaysWhoHoldsItWhenTimeIsUp) {
  const TempDir dir;
  const auto lock = take(dir);
  ASSERT_TRUE(lock);
  // Held by this very process, which cannot be left over from anybody.
  const auto second = FleetLock::take(dir.path(), std::chrono::milliseconds(30), [](const std::string &) {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find("still held after 30ms"), std::string::npos) << second.error().text();
}

// What has this in its environment.
UniqueFd start_with(std::string variable) {
  std::string path = "/bin/sleep";
  std::string seconds = "1000";
  const std::array<char *, 3> arguments{path.data(), seconds.data(), nullptr};
  const std::array<char *, 2> environment{variable.data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(::posix_spawn(&pid, path.c_str(), nullptr, nullptr, arguments.data(), environment.data()), 0);
  // We go on while it is still being executed.
  while (read_file("/proc/" + std::to_string(pid) + "/environ").empty()) ::sched_yield();
  return open_pidfd(pid);
}

TEST(FleetLock, EndsWhatHasOnlyTheMarkOfItsFleet) {
  const TempDir dir;
  const auto lock = take(dir);
  ASSERT_TRUE(lock);
  const std::string mark = fleet_mark(lock->fd());
  const UniqueFd marked = start_with(mark);
  const UniqueFd other = start_with(mark + "0");
  lock->end_left_behind();
  EXPECT_TRUE(wait_for_death(marked, Duration{}));
  EXPECT_FALSE(wait_for_death(other, Duration{}));
  send_signal(other, SIGKILL);
  (void)reap(marked);
  (void)wait_for_death(other, std::chrono::seconds(10));
  (void)reap(other);
}

TEST(FleetLock, EndsAGroupThatHasOnlyTheMarkAndForksForEver) {
  const TempDir dir;
  const auto lock = take(dir);
  ASSERT_TRUE(lock);
  const Lines lines(1, fleet_mark(lock->fd()));
  EXPECT_FALSE(lines.are_gone());
  while (!lines.are_gone()) lock->end_left_behind();  // killed is not yet dead, and a shell may only just be starting
}

TEST(FleetLock, EndsWhoHasLetGoOfTheLockAndKeptItsFile) {
  const TempDir dir;
  auto lock = take(dir);
  ASSERT_TRUE(lock);
  const Holder worker;
  ASSERT_EQ(::flock(lock->fd(), LOCK_UN), 0);  // as it could do it: for all who share the file
  lock = fail({}, "the host is dead");
  UniqueFd file(::open(dir.path("fleet.lock").c_str(), O_RDONLY | O_CLOEXEC));
  const Holder reader;
  file.reset();
  std::string said;
  lock = take(dir, &said);
  ASSERT_TRUE(lock);
  EXPECT_EQ(said, "");
  lock->end_left_behind();
  EXPECT_TRUE(worker.was_killed());
  EXPECT_FALSE(reader.was_killed());
}

// A worker's own child leaves the group and outlives it, but not the next host's start.
TEST(FleetLock, IsHeldByWhatAWorkerForked) {
  FleetHarness h;
  const WorkerId worker = h.launch("misbehave.so", {{"do", "leave_a_runaway"}, {"file", h.dir.path("pid")}});
  h.until([&] { return !read_file(h.dir.path("pid")).empty(); });
  const int runaway = read_pid(h.dir.path("pid"));
  const auto other = FleetLock::take(h.dir.path(), Duration{}, [](const std::string &) {});
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().what.find(std::to_string(runaway)), std::string::npos) << other.error().text();
  h.fleet->kill(worker);
  h.until_gone(worker);
}

}  // namespace
}  // namespace hostler
