#include "edge/fleet_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
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
