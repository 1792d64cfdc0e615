// Children that hear what they want to hear, and what they are asked by.
#include "edge/last_question.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <functional>

namespace hostler {
namespace {

constexpr int kHeard = 7;

// Lives until it hears of a signal that it catches, and says so by its exit status.
class Child {
 public:
  explicit Child(const std::function<void()> &prepare) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      prepare();
      if (::write(ready[1], "", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char byte = 0;
    if (::read(ready[0], &byte, 1) != 1) ADD_FAILURE() << "no child";
    ::close(ready[0]);
    ::close(ready[1]);
  }
  Child(const Child &) = delete;
  Child &operator=(const Child &) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] int ask() const { return last_question_for(pid_); }
  // Sent the signal, it dies: of that, or by saying that it has heard.
  [[nodiscard]] bool hears(int signal) {
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == kHeard;
  }

 private:
  pid_t pid_ = 0;
};

void answer(int signal) {
  ::signal(signal, [](int) { ::_exit(kHeard); });
}

void block_all() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
}

TEST(LastQuestion, AnAbortIsHeardByWhoCatchesIt) {
  Child child([] { answer(SIGABRT); });
  EXPECT_EQ(child.ask(), SIGABRT);
  EXPECT_TRUE(child.hears(SIGABRT));
}

TEST(LastQuestion, WhoBlocksAllSignalsHearsTheQuestion) {
  Child child([] {
    answer(SIGABRT);
    block_all();
  });
  EXPECT_EQ(child.ask(), SIGABRT);
  EXPECT_TRUE(child.hears(SIGABRT));
}

TEST(LastQuestion, WhoIgnoresAnAbortIsAskedByAnotherSignal) {
  Child child([] {
    ::signal(SIGABRT, SIG_IGN);
    answer(SIGBUS);
    block_all();
  });
  EXPECT_EQ(child.ask(), SIGBUS);
  EXPECT_TRUE(child.hears(SIGBUS));
}

TEST(LastQuestion, WhoCatchesNothingIsAborted) {
  Child child([] {});
  EXPECT_EQ(child.ask(), SIGABRT);
  EXPECT_FALSE(child.hears(SIGABRT));
}

TEST(LastQuestion, OfNobodyItIsAnAbort) {
  EXPECT_EQ(last_question_for(0x3fffffff), SIGABRT);
}

}  // namespace
}  // namespace hostler
