// What the requests on the control socket mean. On the loop's thread.
//
//   GET  /v1/status               the fleet as JSON (edge/status_json)
//   GET  /v1/wait?timeout_ms=N    the same, once every job has ended or the time is over
//   POST /v1/reload               {"fresh": [], "resume": []} → {"ok", "text", "error"}
//   POST /v1/check                the same, but nothing is applied
//   POST /v1/start, /v1/stop, /v1/restart, /v1/scale, /v1/pause, /v1/resume, /v1/cancel, /v1/retry
//                                 {"names": [], "all": false, …}; the answer comes when it is done
//   POST /v1/down                 stop gracefully; the answer comes at once
#pragma once

#include <functional>
#include <list>
#include <string>

#include "core/status.h"
#include "daemon/reloader.h"
#include "edge/control_server.h"
#include "edge/event_loop.h"
#include "edge/status_json.h"
#include "supervisor.h"

namespace hostler {

class ControlApi {
 public:
  // `facts`: what of the status only the process knows; its up_seconds is counted from `started`.
  ControlApi(EventLoop &loop, Supervisor &supervisor, Reloader &reloader, HostStatus facts, TimePoint started,
             std::function<void()> stop);

  void handle(const ControlRequest &request, std::function<void(ControlReply)> reply);
  // Something has changed: whoever waits may have waited long enough.
  void on_settled();

 private:
  struct Waiter {
    std::function<void(ControlReply)> reply;
    EventLoop::Timer timer;
  };
  using Waiters = std::list<Waiter>;
  // A command that is under way, or the entries that a reload changes.
  struct Errand {
    OperatorVerb verb;
    std::vector<std::string> names;
    std::vector<std::string> plan;  // a reload's, in words; of its entries only those are told that have failed
    std::function<void(ControlReply)> reply;
    TimePoint sure_at;  // what runs then is said to run, ready or not
    EventLoop::Timer timer;
  };

  [[nodiscard]] ControlReply status(bool only_shown = false, Layout layout = Layout::Compact) const;
  void wait(const ControlRequest &request, std::function<void(ControlReply)> reply);
  void answer(Waiters::iterator waiter);
  void command(OperatorVerb verb, const ControlRequest &request, const std::function<void(ControlReply)> &reply);
  void retry(const OperatorCommand &asked, const std::function<void(ControlReply)> &reply);
  void begin(const OperatorCommand &command, const std::function<void(ControlReply)> &reply);
  [[nodiscard]] bool is_done(const Errand &errand) const;
  void finish_errands();
  void see_through(const ReloadPlan &plans, const std::function<void(ControlReply)> &reply);
  void reload(const ControlRequest &request, bool apply, std::function<void(ControlReply)> reply);

  EventLoop &loop_;
  Supervisor &supervisor_;
  Reloader &reloader_;
  HostStatus facts_;
  TimePoint started_;
  std::function<void()> stop_;
  Waiters waiters_;
  std::list<Errand> errands_;
};

}  // namespace hostler
