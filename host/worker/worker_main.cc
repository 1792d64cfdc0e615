#include "worker/worker_main.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "worker/call_plugin.h"
#include "worker/channel.h"
#include "worker/crash_report.h"
#include "worker/job_loop.h"
#include "worker/plugin_loader.h"
#include "worker/runtime.h"
#include "worker/shared_page.h"
#include "worker/user.h"

namespace hostler {
namespace {

[[noreturn]] void fail_before_run(SharedPage &page, std::string_view words, bool passing = false) {
  page.set_failed_before_run(words, passing);
  ::_exit(HOSTLER_BAD_CONFIG);
}

// Before anything else: whoever kills the host, or the group, must find us. Returns the page.
SharedPage join_the_fleet(const WorkerSetUp &set_up) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != set_up.host) ::_exit(0);  // it died before the signal was asked for
  auto page = SharedPage::map(set_up.page_file, set_up.page);
  if (!page) ::_exit(HOSTLER_BAD_CONFIG);
  page->set_stage(Stage::SetUp);
  ::prctl(PR_SET_NAME, std::string(set_up.title).c_str());
  ::dup2(set_up.log, STDOUT_FILENO);
  ::dup2(set_up.log, STDERR_FILENO);
  // What the plugin forks or executes holds our end too, unless it closes all: so the host knows when none is left.
  ::fcntl(set_up.channel, F_SETFD, 0);
  ::close(set_up.log);
  ::close(set_up.page_file);
  ::close(set_up.control);
  return *page;
}

// Signals are still blocked, so nothing interrupts this. A host that is gone, or wants no more of us: we leave.
Start wait_for_go(SharedPage &page, Channel &channel) {
  page.set_stage(Stage::Waiting);
  HostMessage message;
  if (channel.receive(message) != Channel::Received::Message || !page.go()) ::_exit(0);
  auto *start = std::get_if<Start>(&message);
  if (start == nullptr) ::_exit(0);
  return std::move(*start);
}

void limit(SharedPage &page, std::string_view name, __rlimit_resource resource, std::int64_t most) {
  if (most < 0) return;
  const rlimit limit{static_cast<rlim_t>(most), static_cast<rlim_t>(most)};
  if (::setrlimit(resource, &limit) != 0)
    fail_before_run(page, fmt::format("limits: cannot set {}: {}", name, std::strerror(errno)));
}

void enter_limits(SharedPage &page, const Limits &limits) {
  if (!limits.of_processes()) return;
  limit(page, "open_files", RLIMIT_NOFILE, limits.open_files);
  limit(page, "core", RLIMIT_CORE, limits.core);
  limit(page, "processes", RLIMIT_NPROC, limits.user_processes);
  limit(page, "memory", RLIMIT_AS, limits.address_space);
}

// All that the worker does with the host's rights for its user ends here.
void enter_user(SharedPage &page, const Start &start, pid_t host) {
  const User &user = *start.user;
  const auto refuse = [&](const Error &error) { fail_before_run(page, "user: " + error.text()); };
  if (start.job)
    if (auto prepared = give_attempts_to(start.attempts_dir, user); !prepared) refuse(prepared.error());
  // Or /dev/stdout could not be opened. What others write into it is theirs: the pipe is this worker's own.
  if (::fchown(STDOUT_FILENO, user.uid, user.gid) != 0) errno = 0;
  if (auto became = become_user(user); !became) refuse(became.error());
  if (::getppid() != host) ::_exit(0);
  if (start.job && ::access(start.attempts_dir.c_str(), R_OK | W_OK | X_OK) != 0)
    refuse({start.attempts_dir, fmt::format("cannot be used by {}: {}", user.name, std::strerror(errno)),
            "let this user through the folders above it"});
}

void enter_surroundings(SharedPage &page, const Start &start, pid_t host) {
  if (!start.trouble.empty()) fail_before_run(page, start.trouble, true);
  enter_limits(page, start.limits);
  if (start.user) enter_user(page, start, host);
  if (!start.cwd.empty() && ::chdir(start.cwd.c_str()) != 0)
    fail_before_run(page, fmt::format("cwd: cannot enter {}: {}", start.cwd, std::strerror(errno)));
  ::umask(start.umask);
  for (const auto &[key, value] : start.env)
    if (::setenv(key.c_str(), value.c_str(), 1) != 0)
      fail_before_run(page, fmt::format("env: cannot set {}: {}", key, std::strerror(errno)));
}

LoadedPlugin load(SharedPage &page, const Start &start) {
  page.set_stage(Stage::Loading);
  auto plugin = load_plugin(start.library, start.plugin);
  if (!plugin) fail_before_run(page, plugin.error().what, plugin.error().passing);
  return *plugin;
}

void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Without a template of its own the entry's workers prepare each for itself.
void prepare(SharedPage &page, Runtime &runtime, const LoadedPlugin &plugin) {
  if (plugin.prepare == nullptr) return;
  page.set_stage(Stage::Preparing);
  hostler_slice_t slice{};
  slice.kind = HOSTLER_NONE;
  slice.unit = 1;
  const auto *entered = runtime.enter(Inside::Prepare, slice, {});
  const int returned = hostler_call_run(plugin.prepare, entered);
  if (!page.is_mine()) leave_without_trace(returned);
  runtime.leave();
  (void)std::fflush(nullptr);
  if (returned == HOSTLER_DONE) return;
  const std::string &reason = runtime.reason();
  fail_before_run(page, fmt::format("prepare() {}{}{}", returned_words(returned), reason.empty() ? "" : ": ", reason),
                  returned == HOSTLER_RETRY_LATER);
}

[[noreturn]] void run_service(SharedPage &page, Runtime &runtime, const LoadedPlugin &plugin, const Start &start) {
  if (runtime.stop_word() != 0) ::_exit(0);  // asked to leave before it began
  hostler_slice_t slice{};
  slice.index = start.instance;
  slice.count = start.count;
  slice.attempt = 1;
  slice.kind = HOSTLER_NONE;
  slice.unit = 1;
  page.begin_slice(start.instance, 0);
  const auto *entered = runtime.enter(Inside::Service, slice, {});
  ::_exit(returned_to_worker(page, runtime, hostler_call_run(plugin.run, entered)));
}

}  // namespace

void worker_main(const WorkerSetUp &set_up) {
  SharedPage page = join_the_fleet(set_up);
  Channel channel(set_up.channel);
  run_worker(page, channel, set_up.host);
}

void run_worker(SharedPage &page, Channel &channel, pid_t host) {
  const Start start = wait_for_go(page, channel);
  Runtime runtime(page, channel, start);
  note_crashes_in(page.slot());
  runtime.catch_stop_signal(start.stop_signal, start.job);
  unblock_signals();
  enter_surroundings(page, start, host);
  const LoadedPlugin plugin = load(page, start);
  prepare(page, runtime, plugin);
  page.set_stage(Stage::Idle);
  if (!channel.send(Loaded{})) {
    const Unheard why = why_unheard(errno);
    fail_before_run(page, why.words, !why.by_plugin);
  }
  if (!start.job) run_service(page, runtime, plugin, start);
  JobLoop(page, channel, runtime, plugin, start).run();
}

}  // namespace hostler
