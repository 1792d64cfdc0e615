#include "edge/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

using namespace std::chrono_literals;

struct Pair {
  UniqueFd a;
  UniqueFd b;
};

Pair make_pipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pair make_sockets() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

char read_byte(int fd) {
  char byte = 0;
  EXPECT_EQ(::read(fd, &byte, 1), 1);
  return byte;
}

void write_text(int fd, const std::string &text) {
  EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

TEST(EventLoop, ReadableDescriptorIsToldAgainUntilItIsDrained) {
  EventLoop loop;
  auto pipe = make_pipe();
  write_text(pipe.b.get(), "abc");
  std::string seen;
  const auto watch = loop.watch(pipe.a.get(), EventLoop::Ready::Read, [&] {
    seen += read_byte(pipe.a.get());
    if (seen.size() == 3) loop.stop();
  });
  loop.run();
  EXPECT_EQ(seen, "abc");
}

TEST(EventLoop, EndOfFileCountsAsReadable) {
  EventLoop loop;
  auto pipe = make_pipe();
  pipe.b.reset();
  ssize_t got = -1;
  const auto watch = loop.watch(pipe.a.get(), EventLoop::Ready::Read, [&] {
    char byte = 0;
    got = ::read(pipe.a.get(), &byte, 1);
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(got, 0);
}

TEST(EventLoop, WatchMayEndInItsOwnHandlerAndItsDescriptorNumberBeUsedAgain) {
  EventLoop loop;
  auto first = make_pipe();
  auto second = make_pipe();
  write_text(first.b.get(), "1");
  write_text(second.b.get(), "2");
  const int number = first.a.get();
  std::string seen;
  EventLoop::Watch watch;
  watch = loop.watch(number, EventLoop::Ready::Read, [&] {
    seen += read_byte(number);
    watch = EventLoop::Watch();
    ASSERT_EQ(::dup3(second.a.get(), number, O_CLOEXEC), number);
    watch = loop.watch(number, EventLoop::Ready::Read, [&] {
      seen += read_byte(number);
      watch = EventLoop::Watch();
      loop.stop();
    });
  });
  loop.run();
  EXPECT_EQ(seen, "12");
}

TEST(EventLoop, EndedWatchIsNotCalledThoughItsDescriptorIsReady) {
  EventLoop loop;
  auto pipe = make_pipe();
  write_text(pipe.b.get(), "x");
  bool called = false;
  auto captured = std::make_shared<int>(0);
  auto watch = loop.watch(pipe.a.get(), EventLoop::Ready::Read, [&called, captured] { called = true; });
  watch = EventLoop::Watch();
  EXPECT_EQ(captured.use_count(), 1) << "what the handler captured goes with the watch";
  loop.post([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  EXPECT_FALSE(called);
}

TEST(EventLoop, OneDescriptorIsWatchedForReadingAndForWriting) {
  EventLoop loop;
  auto sockets = make_sockets();
  EventLoop::Watch writable;
  EventLoop::Watch readable;
  std::string order;
  readable = loop.watch(sockets.a.get(), EventLoop::Ready::Read, [&] {
    order += read_byte(sockets.a.get());
    loop.stop();
  });
  writable = loop.watch(sockets.a.get(), EventLoop::Ready::Write, [&] {
    order += 'w';
    writable = EventLoop::Watch();  // the reader of the same descriptor must go on
    write_text(sockets.b.get(), "r");
  });
  loop.run();
  EXPECT_EQ(order, "wr");
}

// A child holds the pidfd, so that closing it does not take it out of epoll by itself.
TEST(EventLoop, ClosedDescriptorThatAChildInheritedDoesNotWakeTheLoop) {
  EventLoop loop;
  auto release = make_pipe();
  auto pipe = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::_exit(::read(release.a.get(), &byte, 1) == 1 ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  bool called = false;
  std::optional<EventLoop::Watch> watch(loop.watch(pipe.a.get(), EventLoop::Ready::Read, [&] { called = true; }));
  watch.reset();
  pipe.a.reset();
  write_text(pipe.b.get(), "x");  // the child's copy of the read end is readable now
  loop.post([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  EXPECT_FALSE(called);
  write_text(release.b.get(), "x");
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

// Sets of sets, so deep that the kernel does not take the outermost into one more.
std::vector<UniqueFd> nest(int innermost) {
  std::vector<UniqueFd> sets;
  for (int depth = 0; depth < 5; ++depth) {
    sets.emplace_back(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{EPOLLIN, {}};
    const int inner = depth == 0 ? innermost : sets[sets.size() - 2].get();
    EXPECT_EQ(::epoll_ctl(sets.back().get(), EPOLL_CTL_ADD, inner, &event), 0);
  }
  return sets;
}

TEST(EventLoop, WhatTheKernelDoesNotWatchIsToldAllTheSame) {
  auto pipe = make_pipe();
  const auto sets = nest(pipe.a.get());
  EventLoop loop;
  std::string seen;
  const auto watch = loop.watch(sets.back().get(), EventLoop::Ready::Read, [&] {
    seen += read_byte(pipe.a.get());
    loop.stop();
  });
  EventLoop::Timer later(loop);
  later.set(EventLoop::now() + 30ms, [&] { write_text(pipe.b.get(), "b"); });  // looked at before, in vain
  loop.run();
  EXPECT_EQ(seen, "b");
}

TEST(EventLoop, WhatTheKernelDoesNotWatchForNowIsWatchedLater) {
  auto pipe = make_pipe();
  const auto sets = nest(pipe.a.get());
  EventLoop loop;
  int calls = 0;
  auto watch = loop.watch(sets[4].get(), EventLoop::Ready::Read, [&] {
    read_byte(pipe.a.get());
    if (++calls == 2) return loop.stop();
    epoll_event event{EPOLLIN, {}};  // fewer sets in between
    EXPECT_EQ(::epoll_ctl(sets[4].get(), EPOLL_CTL_DEL, sets[3].get(), nullptr), 0);
    EXPECT_EQ(::epoll_ctl(sets[4].get(), EPOLL_CTL_ADD, pipe.a.get(), &event), 0);
    write_text(pipe.b.get(), "2");
  });
  write_text(pipe.b.get(), "1");
  loop.run();
  EXPECT_EQ(calls, 2);
  watch = {};
}

TEST(EventLoop, AWatchOfNoDescriptorEnds) {
  EventLoop loop;
  std::optional<EventLoop::Watch> watch(loop.watch(-1, EventLoop::Ready::Read, [] {}));
  watch.reset();
  loop.post([&] { loop.stop(); });
  loop.run();
}

TEST(EventLoop, TimersFireInTheOrderOfTheirTimes) {
  EventLoop loop;
  EventLoop::Timer late(loop);
  EventLoop::Timer early(loop);
  std::string order;
  const TimePoint now = EventLoop::now();
  late.set(now + 2ms, [&] {
    order += 'l';
    loop.stop();
  });
  early.set(now - 1s, [&] { order += 'e'; });
  loop.run();
  EXPECT_EQ(order, "el");
  EXPECT_GE(EventLoop::now(), now + 2ms);
}

TEST(EventLoop, TimerThatIsSetAgainFiresOnceForItsNewTime) {
  EventLoop loop;
  EventLoop::Timer timer(loop);
  std::string order;
  timer.set(EventLoop::now() - 1s, [&] { order += 'a'; });
  timer.set(EventLoop::now() - 1s, [&] {
    order += 'b';
    timer.set(EventLoop::now(), [&] {
      order += 'c';
      loop.stop();
    });
  });
  loop.run();
  EXPECT_EQ(order, "bc");
}

TEST(EventLoop, CancelledTimerDoesNotFireThoughItWasDue) {
  EventLoop loop;
  EventLoop::Timer timer(loop);
  bool fired = false;
  timer.set(EventLoop::now() - 1s, [&] { fired = true; });
  timer.cancel();
  std::optional<EventLoop::Timer> ended(std::in_place, loop);
  ended->set(EventLoop::now() - 1s, [&] { fired = true; });
  ended.reset();
  EventLoop::Timer last(loop);
  last.set(EventLoop::now(), [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(fired);
}

// Found in the wild: the readiness of a descriptor that is dropped in the turn it was told in came up at the next one that
// was watched, which was never ready.
TEST(EventLoop, AWatchHearsNothingOfTheOneWhosePlaceItTakes) {
  EventLoop loop;
  std::array<std::array<int, 2>, 3> pipes{};
  for (auto &ends : pipes) ASSERT_EQ(::pipe(ends.data()), 0);
  std::array<std::optional<EventLoop::Watch>, 2> watches;
  std::optional<EventLoop::Watch> third;
  int heard = 0;
  for (std::size_t i = 0; i < watches.size(); ++i)
    watches[i].emplace(loop.watch(pipes[i][0], EventLoop::Ready::Read, [&, i] {
      char byte = 0;
      EXPECT_EQ(::read(pipes[i][0], &byte, 1), 1);
      if (third) return;
      watches[1 - i].reset();
      third.emplace(loop.watch(pipes[2][0], EventLoop::Ready::Read, [&] { ++heard; }));
      loop.post([&] { loop.post([&] { loop.stop(); }); });
    }));
  for (std::size_t i = 0; i < watches.size(); ++i) ASSERT_EQ(::write(pipes[i][1], "x", 1), 1);
  loop.run();
  ASSERT_TRUE(third);
  EXPECT_EQ(heard, 0);
  for (auto &ends : pipes)
    for (const int fd : ends) ::close(fd);
}

TEST(EventLoop, PostWakesASleepingLoopFromAnotherThread) {
  EventLoop loop;
  std::thread::id ran_on;
  std::thread other([&] {
    loop.post([&] {
      ran_on = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  other.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

// Without its own two descriptors it would sleep for ever.
TEST(EventLoop, ThereIsNoLoopWhenTheKernelDoesNotWatchWhatWakesIt) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::array<sock_filter, 4> filter{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog program{filter.size(), filter.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      ::_exit(77);
    try {
      const EventLoop loop;
    } catch (const std::system_error &error) {
      ::_exit(error.code().value() == ENOSPC ? 0 : 1);
    }
    ::_exit(2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "no seccomp filter may be set here";
  EXPECT_EQ(status, 0);
}

TEST(EventLoop, StopBeforeRunCountsAndTheLoopCanRunAgain) {
  EventLoop loop;
  loop.stop();
  loop.run();
  bool ran = false;
  loop.post([&] {
    ran = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(EventLoop, LoopMayEndWithWorkStillPosted) {
  auto captured = std::make_shared<int>(0);
  {
    EventLoop loop;
    loop.post([captured] {});
  }
  EXPECT_EQ(captured.use_count(), 1);
}

}  // namespace
}  // namespace hostler
