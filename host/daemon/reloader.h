// A reload on its way: workers.yaml is read and everything in it prepared on a thread of its own, since plugins are
// inspected and folders listed; then the supervisor's thread applies it. One at a time, in the order asked for.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/entry_memory.h"
#include "core/error.h"
#include "core/plan.h"
#include "edge/event_loop.h"
#include "edge/plugin_store.h"
#include "supervisor.h"

namespace hostler {

// Either the file is wrong (or what it names), or what was asked for cannot be done, at least not now.
struct ReloadFailure {
  bool invalid_config = false;
  Error error;
};
using ReloadOutcome = tl::expected<ReloadPlan, ReloadFailure>;

class Reloader {
 public:
  using Done = std::function<void(const ReloadOutcome &)>;

  using Applied = std::function<void(const HostConfig &)>;

  // `state_dir` is the one in use: a file that names another is refused. `memory` is of the host's start, in which the
  // file was read already. `applied` is told what of `host:` holds from now on.
  Reloader(EventLoop &loop, Supervisor &supervisor, const PluginStore &plugins, std::string config, EntryMemory memory,
           std::string state_dir, Applied applied);

  // Reads, prepares, applies; refused when very many wait already. `done` is called on the loop's thread.
  void reload(ReloadOptions options, Done done);
  // Of the file only the jobs that the options name: they begin anew or go on, all else stays as it is.
  void reload_named(ReloadOptions options, Done done);
  // Of the file only the builds of these jobs' plugins.
  void take_builds(std::vector<std::string> names, Done done);
  // The same up to the plan; nothing is applied.
  void preview(ReloadOptions options, Done done);
  // The host is stopping: all that is asked for is refused, what is under way included.
  void stop();

 private:
  enum class What { Reload, Named, Builds, Preview };
  struct Request {
    ReloadOptions options;
    What what = What::Reload;
    Done done;
    std::vector<std::string> names;  // Builds
  };

  void ask(Request request);
  void begin_next();
  [[nodiscard]] Result<Prepared> prepare_all(const std::stop_token &stop);
  [[nodiscard]] Result<ReloadPlan> carry_out(const Request &request, Prepared &&prepared);
  void free_elsewhere(Prepared rest);
  void finish(Result<Prepared> prepared);

  EventLoop &loop_;
  Supervisor &supervisor_;
  const PluginStore &plugins_;
  std::string config_;
  EntryMemory memory_;  // the thread's, while there is one
  std::string state_dir_;
  Applied applied_;
  std::deque<Request> requests_;  // the first is being prepared
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace hostler
