// The template seen from the host: started from the running binary, asked to fork workers, replaced when it dies.
// The thread that makes it is the one whose death kills the template and all workers: the host's main thread.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>

#include "core/error.h"
#include "core/template_messages.h"
#include "edge/event_loop.h"
#include "edge/unique_fd.h"

namespace hostler {

class TemplateProcess {
 public:
  struct Resources {
    int binary = -1;  // the running program; it may have been replaced on disk meanwhile
    int fleet_lock = -1;
    int pages = -1;
    rlimit open_files{};  // as the host found it
  };
  // What became of a fork. Called from the loop, never from within spawn().
  using Forked = std::function<void(std::uint64_t worker, Result<int> pid)>;

  // `died`: the template is gone and reaped. It may have forked workers that nobody was told of; the forks it left
  // unanswered are told as failed after this.
  TemplateProcess(EventLoop &loop, const Resources &resources, Forked forked, std::function<void()> died);
  ~TemplateProcess();
  TemplateProcess(const TemplateProcess &) = delete;
  TemplateProcess &operator=(const TemplateProcess &) = delete;

  // Has a worker forked with these descriptors, once the requests before it are through. A dead template is started
  // again for it.
  void spawn(std::uint64_t worker, std::uint32_t page, const std::string &title, UniqueFd channel, UniqueFd log);

  // Kills and reaps it; nothing is forked after this.
  void end();

  [[nodiscard]] pid_t pid() const { return pid_; }  // 0: none at the moment
  // There may be workers that it has forked and nobody was told of.
  [[nodiscard]] bool is_forking() const { return pid_ != 0 && !asked_.empty(); }

 private:
  struct Request {
    ForkRequest request;
    UniqueFd channel;
    UniqueFd log;
  };
  enum class Sent { Yes, Later, Refused };

  Result<void> start();
  void pump();
  [[nodiscard]] Sent send(const Request &request) const;
  void on_answers();
  void on_death();
  void fail_all(const std::string &why);

  EventLoop &loop_;
  Resources resources_;
  Forked forked_;
  std::function<void()> died_;
  pid_t pid_ = 0;
  UniqueFd control_;
  UniqueFd pidfd_;
  EventLoop::Watch control_watch_;
  EventLoop::Watch death_watch_;
  EventLoop::Timer soon_;          // work that must not be done within spawn()
  std::deque<Request> queue_;      // not sent yet
  std::set<std::uint64_t> asked_;  // sent, not answered
  bool proven_ = false;            // this template has answered
};

}  // namespace hostler
