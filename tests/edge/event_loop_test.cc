#include "edge/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
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

TEST(EventLoop, WatchMayBeReplacedByAnotherOfItsKind) {
  EventLoop loop;
  auto pipe = make_pipe();
  write_text(pipe.b.get(), "x");
  std::string order;
  EventLoop::Watch watch = loop.watch(pipe.a.get(), EventLoop::Ready::Read, [&] { order += 'a'; });
  watch = loop.watch(pipe.a.get(), EventLoop::Ready::Read, [&] {
    order += 'b';
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(order, "b");
}

// epoll takes no regular file.
TEST(EventLoop, FileThatIsAlwaysReadyIsToldUntilItsWatchEnds) {
  EventLoop loop;
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);
  int told = 0;
  EventLoop::Watch watch;
  watch = loop.watch(file.get(), EventLoop::Ready::Read, [&] {
    if (++told < 3) return;
    watch = EventLoop::Watch();
    loop.post([&] { loop.post([&] { loop.stop(); }); });
  });
  loop.run();
  EXPECT_EQ(told, 3);
}

// What was ready when the loop was stopped is told when it runs again.
TEST(EventLoop, StoppedLoopLosesNothing) {
  EventLoop loop;
  std::vector<Pair> pipes;
  std::vector<EventLoop::Watch> watches;
  int told = 0;
  for (int i = 0; i < 3; ++i) {
    pipes.push_back(make_pipe());
    write_text(pipes.back().b.get(), "x");
    const int fd = pipes.back().a.get();
    watches.push_back(loop.watch(fd, EventLoop::Ready::Read, [&, fd] {
      read_byte(fd);
      ++told;
      loop.stop();
    }));
  }
  for (int i = 1; i <= 3; ++i) {
    loop.run();
    EXPECT_EQ(told, i);
  }
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
