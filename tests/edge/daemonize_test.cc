#include "edge/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>

#include "temp_dir.h"

namespace hostler {
namespace {

using Report = std::function<void(int, const std::string &)>;

std::string link_of(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::read_symlink(path, ignored).string();
}

TEST(Daemonize, DaemonHasLeftSessionTerminalFolderAndDescriptors) {
  const TempDir dir;
  const int open_here = ::open("/dev/zero", O_RDONLY);  // on purpose not close-on-exec
  ::signal(SIGHUP, SIG_IGN);                            // as under nohup
  const auto reply = start_daemon([&](const Report &report) {
    const mode_t mask = ::umask(0);
    report(7, fmt::format("{} {} {} {} {:o} {} {}", ::getsid(0) != ::getpid(), link_of("/proc/self/cwd"),
                          link_of("/proc/self/fd/0"), link_of("/proc/self/fd/2"), mask, ::fcntl(open_here, F_GETFD) < 0,
                          ::signal(SIGHUP, SIG_DFL) == SIG_DFL));
    return 0;
  });
  ::signal(SIGHUP, SIG_DFL);
  ::close(open_here);
  ASSERT_TRUE(reply) << reply.error().text();
  EXPECT_EQ(reply->code, 7);
  EXPECT_EQ(reply->text, "true / /dev/null /dev/null 27 true true");
}

TEST(Daemonize, LauncherGoesOnWhenTheDaemonHasReportedThoughItLives) {
  const TempDir dir;
  const std::string fifo = dir.path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto reply = start_daemon([&](const Report &report) {
    report(0, std::string(100000, 'x'));
    ::close(::open(fifo.c_str(), O_RDONLY));  // until the test lets it go
    return 0;
  });
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, std::string(100000, 'x'));
  ::close(::open(fifo.c_str(), O_WRONLY));
}

TEST(Daemonize, DaemonThatDiesWithoutAWordIsAFailureInWords) {
  const auto reply = start_daemon([](const Report &) -> int { ::_exit(0); });
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->code, 1);
  EXPECT_EQ(reply->text, "the host ended before it was ready");
}

TEST(Daemonize, ChildHasItsOwnGroupAndItsExitCodeArrives) {
  const auto child = start_child([](const Report &report) {
    report(0, ::getpgrp() == ::getpid() ? "leads its group" : "does not");
    return 5;
  });
  ASSERT_TRUE(child) << child.error().text();
  ASSERT_TRUE(child->reply);
  EXPECT_EQ(child->reply->code, 0);
  EXPECT_EQ(child->reply->text, "leads its group");
  pollfd pidfd{child->pidfd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&pidfd, 1, -1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child->pid, &status, 0), child->pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

TEST(Daemonize, WaitingForAChildThatSaysNothingCanBeInterrupted) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  const auto child = start_child(
      [](const Report &) -> int {
        for (;;) ::pause();
      },
      ends[0]);
  ::close(ends[0]);
  ::close(ends[1]);
  ASSERT_TRUE(child) << child.error().text();
  EXPECT_FALSE(child->reply);
  ASSERT_EQ(::kill(child->pid, SIGTERM), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child->pid, &status, 0), child->pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(Daemonize, ChildIsToldToEndWhenItsStarterIsKilled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);  // the child holds the write end for as long as it lives
  const pid_t starter = ::fork();
  if (starter == 0) {
    const auto child = start_child([](const Report &report) -> int {
      report(0, "");
      for (;;) ::pause();
    });
    if (child) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  ::close(ends[1]);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  ::close(ends[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(starter, &status, 0), starter);
  EXPECT_TRUE(WIFSIGNALED(status));
}

}  // namespace
}  // namespace hostler
