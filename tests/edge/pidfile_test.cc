#include "edge/pidfile.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "edge/pidfd.h"
#include "temp_dir.h"

namespace hostler {
namespace {

TEST(Pidfile, HoldsThePidAndMakesAFolderThatWorkersMayPassThrough) {
  const TempDir dir;
  const std::string state = dir.path("deep/er/state");
  const auto pidfile = Pidfile::take(state);
  ASSERT_TRUE(pidfile) << pidfile.error().text();
  EXPECT_EQ(read_file(state + "/hostler.pid"), std::to_string(::getpid()) + "\n");
  struct stat info {};
  ASSERT_EQ(::stat(state.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0711U);
}

TEST(Pidfile, SecondHostIsRefusedWithThePidOfTheFirst) {
  const TempDir dir;
  const auto first = Pidfile::take(dir.path());
  ASSERT_TRUE(first);
  const auto second = Pidfile::take(dir.path());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().what.find("(pid " + std::to_string(::getpid()) + ")"), std::string::npos)
      << second.error().text();
  EXPECT_EQ(owner_of(dir.path()).value(), ::getpid());
}

// Its number here, which is nobody's: it has a PID namespace of its own. How it ends cannot be seen.
TEST(Pidfile, AHostThatCannotBeSeenFromHereIsBelievedLongBeforeOneThatLeavesIsGivenUp) {
  const TempDir dir;
  const auto first = Pidfile::take(dir.path());
  ASSERT_TRUE(first);
  const pid_t nobody = ::fork();
  if (nobody == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(nobody, nullptr, 0), nobody);
  write_file(dir.path("hostler.pid"), std::to_string(nobody) + "\n");
  const pid_t second = ::fork();
  if (second == 0) ::_exit(Pidfile::take(dir.path()) ? 1 : 0);
  const UniqueFd pidfd = open_pidfd(second);
  EXPECT_TRUE(wait_for_death(pidfd, std::chrono::seconds(15)));
  ::kill(second, SIGKILL);
  int status = -1;
  ::waitpid(second, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Pidfile, FolderIsFreeAgainAfterItsHost) {
  const TempDir dir;
  EXPECT_EQ(owner_of(dir.path()).value(), std::nullopt);
  EXPECT_EQ(owner_of(dir.path("nowhere")).value(), std::nullopt);
  { EXPECT_TRUE(Pidfile::take(dir.path())); }
  EXPECT_EQ(owner_of(dir.path()).value(), std::nullopt);
  EXPECT_TRUE(Pidfile::take(dir.path()));
}

TEST(Pidfile, AHostThatIsJustBeingKilledIsWaitedFor) {
  const TempDir dir;
  for (int round = 0; round < 20; ++round) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t host = ::fork();
    if (host == 0) {
      const auto pidfile = Pidfile::take(dir.path());
      const std::string heavy(std::size_t{64} << 20, 'x');  // what takes the kernel a while to take apart
      if (!pidfile || ::write(ends[1], heavy.data(), 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    ASSERT_EQ(::read(ends[0], &byte, 1), 1);
    ::kill(host, SIGKILL);
    const auto next = Pidfile::take(dir.path());
    EXPECT_TRUE(next) << next.error().text();
    ::waitpid(host, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST(Pidfile, AHostThatIsLeavingIsWaitedFor) {
  const TempDir dir;
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    auto pidfile = Pidfile::take(dir.path());
    if (!pidfile) ::_exit(1);
    pidfile->set_leaving();
    if (::write(told[1], "x", 1) != 1) ::_exit(1);
    ::poll(nullptr, 0, 400);  // it has workers to stop
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(told[0], &byte, 1), 1);
  EXPECT_EQ(owner_of(dir.path()).value(), host);
  const auto next = Pidfile::take(dir.path());
  EXPECT_TRUE(next) << next.error().text();
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  for (const int fd : told) ::close(fd);
}

// As one is that is told to leave before it has come to its loop.
TEST(Pidfile, AHostThatHasBeenToldToLeaveAndDoesNotKnowItYetIsWaitedFor) {
  const TempDir dir;
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    sigset_t quit;
    sigemptyset(&quit);
    sigaddset(&quit, SIGQUIT);
    ::sigprocmask(SIG_BLOCK, &quit, nullptr);
    auto pidfile = Pidfile::take(dir.path());
    if (!pidfile || ::write(told[1], "x", 1) != 1) ::_exit(1);
    ::poll(nullptr, 0, 400);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(told[0], &byte, 1), 1);
  ::kill(host, SIGQUIT);
  const auto next = Pidfile::take(dir.path());
  EXPECT_TRUE(next) << next.error().text();
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  for (const int fd : told) ::close(fd);
}

TEST(Pidfile, KilledHostOwnsNothingThoughItsPidStands) {
  const TempDir dir;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    const auto pidfile = Pidfile::take(dir.path());
    if (!pidfile || ::write(ends[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  EXPECT_EQ(owner_of(dir.path()).value(), host);
  ::kill(host, SIGKILL);
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  EXPECT_EQ(read_file(dir.path("hostler.pid")), std::to_string(host) + "\n");
  EXPECT_EQ(owner_of(dir.path()).value(), std::nullopt);
  EXPECT_TRUE(Pidfile::take(dir.path()));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Pidfile, NetworkFilesystemsAreKnownAndLocalOnesAreNot) {
  EXPECT_EQ(network_filesystem(0x6969), "NFS");
  EXPECT_EQ(network_filesystem(0xFF534D42), "CIFS");
  EXPECT_EQ(network_filesystem(0xFFFFFFFFFF534D42), "CIFS") << "as a signed field gives it";
  EXPECT_EQ(network_filesystem(0xEF53), std::nullopt) << "ext4";
  EXPECT_EQ(network_filesystem(0x01021994), std::nullopt) << "tmpfs";
}

TEST(Pidfile, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  const auto pidfile = Pidfile::take("/proc/nowhere/state");
  ASSERT_FALSE(pidfile);
  EXPECT_EQ(pidfile.error().where, "/proc/nowhere");
}

}  // namespace
}  // namespace hostler
