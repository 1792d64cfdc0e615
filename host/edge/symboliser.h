// Runs hostler-symbolise, a process of its own, for one crash after the other: nobody waits for it, its time is limited,
// and what it says is bounded; how many wait is the caller's affair. The loop's thread, whose death is the child's.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <string>

#include "core/backtrace.h"
#include "core/crash.h"
#include "core/error.h"
#include "edge/event_loop.h"
#include "edge/unique_fd.h"

namespace hostler {

// Beside the host's binary, or where it is installed; empty when it is not there.
[[nodiscard]] std::string find_symboliser(const std::string &host_binary);

// Blocking, on a thread of any kind; no report is kept.
[[nodiscard]] Backtrace symbolise_now(const std::string &program, const CrashCapture &capture);

class Symboliser {
 public:
  using Done = std::function<void(const Backtrace &backtrace)>;

  Symboliser(EventLoop &loop, std::string program);
  // Ends the one that runs; nobody is told of it, nor of those that wait.
  ~Symboliser();
  Symboliser(const Symboliser &) = delete;
  Symboliser &operator=(const Symboliser &) = delete;

  // `report`: the path of the file to keep, or empty; `words`: what stands in it before the backtrace. `done` is called from the loop,
  // never from within, with a backtrace that says what went wrong, if something did.
  void run(const CrashCapture &capture, const std::string &words, const std::string &report, Done done);

  [[nodiscard]] pid_t pid() const { return pid_; }  // of the one that runs; 0: none

 private:
  struct Job {
    std::string input;
    std::string report;
    Done done;
  };

  void begin_next();
  [[nodiscard]] Result<void> spawn(const Job &job);
  void on_output();
  void on_death();
  void finish(const Backtrace &backtrace);

  EventLoop &loop_;
  std::string program_;
  std::deque<Job> jobs_;  // the first one is running
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd output_;
  std::string text_;
  bool timed_out_ = false;
  EventLoop::Watch output_watch_;
  EventLoop::Watch death_watch_;
  EventLoop::Timer limit_;
  EventLoop::Timer soon_;
};

}  // namespace hostler
