// A program run as a child of the worker, in its process group. On the thread of run() only.
#pragma once

#include <sys/types.h>

#include <hostler/plugin.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace exec {

struct Start {
  std::vector<std::string> words;         // the program, looked up in PATH, and its arguments
  std::vector<std::string> environment;   // NAME=value
  std::optional<std::string_view> input;  // what it reads on stdin; else /dev/null
  std::optional<int> output;              // its stdout; else the worker's, which is the log
  int stop_word;                          // at this stop word, or a higher one, it gets SIGTERM
};

struct Ending {
  int wait_status;
  bool stopped;  // it got SIGTERM from us
};

/// A descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd &operator=(Fd &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  void close();

 private:
  int fd_ = -1;
};

/// A running program. It dies with the worker, by the parent-death signal, and with this object, and so does all that
/// it has started.
class Program {
 public:
  /// Throws hostler::Verdict: BAD_CONFIG when it cannot be executed, RETRY_LATER when the machine is short of
  /// something.
  explicit Program(const Start &start);
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;
  ~Program();

  /// Feeds it and waits for its end; heartbeats meanwhile and passes the stop on.
  Ending wait(hostler::Slice &slice);

 private:
  void spawn(const Start &start, const Fd &input);
  void feed();
  void pass_on_stop(int stop_word);

  std::string_view unfed_;
  int stop_word_;
  bool stopped_ = false;
  pid_t pid_ = -1;
  Fd pidfd_;
  Fd input_;  // our end of its stdin
};

}  // namespace exec
