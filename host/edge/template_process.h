// The template seen from the host: started from the running binary, asked to fork workers, replaced when it dies.
// The thread that makes it is the one whose death kills the template and all workers: the host's main thread.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

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
    Duration patience{};  // a template that has not answered for so long hangs, and is replaced
  };
  // What became of a fork. Called from the loop, never from within spawn().
  using Forked = std::function<void(std::uint64_t worker, Result<int> pid)>;

  // What a worker is forked with. Made at the last moment, so that a thousand that wait for their turn hold no
  // descriptors.
  struct Order {
    std::uint32_t page = 0;
    std::string title;
    UniqueFd channel;
    UniqueFd log;
  };
  using Prepare = std::function<Result<Order>(std::uint64_t worker)>;

  // `died`: the template is gone and reaped. It may have forked workers that nobody was told of; the forks it left
  // unanswered are told as failed after this.
  TemplateProcess(EventLoop &loop, const Resources &resources, Prepare prepare, Forked forked,
                  std::function<void()> died);
  ~TemplateProcess();
  TemplateProcess(const TemplateProcess &) = delete;
  TemplateProcess &operator=(const TemplateProcess &) = delete;

  // Starts it ahead of the first spawn(), which then need not wait for it. A failure is told by that spawn().
  void start_ahead();

  // Has a worker prepared and forked, once those before it are through. A dead template is started again for it.
  void spawn(std::uint64_t worker);

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
  [[nodiscard]] bool prepare_next();
  [[nodiscard]] Sent send(const Request &request) const;
  [[nodiscard]] bool take_greeting();
  void on_answers();
  [[nodiscard]] bool is_answer_due() const;
  void wait_for_answers();
  void be_impatient();
  void on_death();
  void refuse(std::uint64_t worker, Error why);
  void fail_all(const std::string &why);
  void tell_refused();

  EventLoop &loop_;
  Resources resources_;
  Result<std::string> build_;  // our build id, as it was at first: a template that is of another one is not used
  Prepare prepare_;
  Forked forked_;
  std::function<void()> died_;
  pid_t pid_ = 0;
  UniqueFd control_;
  UniqueFd pidfd_;
  EventLoop::Watch control_watch_;
  EventLoop::Watch death_watch_;
  std::deque<std::uint64_t> queue_;  // not prepared yet
  std::optional<Request> next_;      // prepared, not sent yet
  std::set<std::uint64_t> asked_;    // sent, not answered
  std::vector<std::pair<std::uint64_t, Error>> refused_;
  EventLoop::Timer soon_;        // tells of those: not within spawn()
  EventLoop::Timer impatience_;  // set while an answer is due
  bool greeted_ = false;         // it has said that it is our own program
  bool proven_ = false;          // this template has answered
  bool hangs_ = false;           // … and was ended for that
  std::string unfit_;            // why it was ended by us, or empty
};

}  // namespace hostler
