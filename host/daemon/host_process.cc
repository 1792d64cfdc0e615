#include "daemon/host_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/host_deaths.h"
#include "core/units.h"
#include "daemon/control_api.h"
#include "daemon/host_signals.h"
#include "daemon/reloader.h"
#include "daemon/spare_memory.h"
#include "edge/config_yaml.h"
#include "edge/fleet.h"
#include "edge/fleet_lock.h"
#include "edge/job_store.h"
#include "edge/log_files.h"
#include "edge/own_title.h"
#include "edge/pidfile.h"
#include "edge/plugin_store.h"
#include "supervisor.h"
#include "worker/own_memory.h"

namespace hostler {
namespace {

struct Failure {
  ExitCode code;
  Error error;
};

// The parts of a running host, in the order in which they depend on each other.
class Host {
 public:
  Host(HostOptions options, StartReport report) : options_(std::move(options)), report_(std::move(report)) {}

  ExitCode run() {
    if (auto failed = try_to_build()) {
      if (logs_) logs_->host(LogLevel::Error, failed->error.text());
      report_(failed->code, failed->error.text());
      return failed->code;
    }
    reloader_->reload({options_.fresh, options_.resume}, [this](const auto &plans) { started(plans); });
    loop_.run();
    logs_->host(LogLevel::Info, "stopped");
    return exit_code_;
  }

 private:
  std::optional<Failure> try_to_build() {
    try {
      return build();
    } catch (const std::system_error &error) {
      return Failure{ExitCode::Failed, {"", std::string("no thread could be started: ") + error.what(), ""}};
    }
  }

  std::optional<Failure> build() {
    auto signals = HostSignals::block();
    if (!signals) return Failure{ExitCode::Failed, signals.error()};
    signals_ = std::move(*signals);
    auto config = read_config(options_.config, &memory_);
    if (!config) return Failure{exit_code_of_config(config.error()), config.error()};
    config_ = std::move(*config);
    umask(config_.host.umask);
    auto pidfile = Pidfile::take(config_.host.state);
    if (!pidfile) return Failure{ExitCode::Failed, pidfile.error()};
    pidfile_.emplace(std::move(*pidfile));
    auto logs = LogFiles::open(config_.host.state, options_.echo_log, config_.host.logs);
    if (!logs) return Failure{ExitCode::Failed, logs.error()};
    logs_ = std::move(*logs);
    if (auto ok = build_fleet(); !ok) return Failure{ExitCode::Failed, ok.error()};
    return std::nullopt;
  }

  Result<void> build_fleet() {
    const std::string &state = config_.host.state;
    const LogSink log = [this](LogLevel level, const std::string &text) { logs_->host(level, text); };
    auto lock = FleetLock::take(state, kFleetLockLimit, [&](const std::string &text) { log(LogLevel::Warning, text); });
    if (!lock) return tl::unexpected(lock.error());
    auto fleet = Fleet::create(loop_, *logs_, std::move(*lock), {state});
    if (!fleet) return tl::unexpected(fleet.error());
    auto opened = DurableJobStore::open(
        state + "/ledger.sqlite", state, [this](EventLoop::Handler handler) { loop_.post(std::move(handler)); },
        [this](const std::string &trouble) { store_waits(trouble); });
    if (!opened) return tl::unexpected(opened.error());
    for (const Error &problem : opened->problems) {
      log(LogLevel::Error, problem.text());
      for (StoredJob &job : opened->jobs)
        if (job.name == problem.where)
          job.problem = fmt::format("{} (mend that and start the host again, or begin anew with --fresh {})",
                                    problem.what, job.name);
    }
    fleet_ = std::move(*fleet);
    spare_memory_.emplace(loop_, *fleet_);
    for (StoredJob &job : opened->jobs)
      job.died_in = died_in(job.id, job.manifest, job.rows, fleet_->former_pages(), EventLoop::now());
    store_ = std::move(opened->store);
    supervisor_ =
        std::make_unique<Supervisor>(*fleet_, *store_, log, std::move(opened->jobs), std::move(opened->halted));
    fleet_->serve(*supervisor_);
    plugins_.emplace(state + "/store", "/proc/self/exe");
    plugins_->clear_workshops();
    reloader_ = std::make_unique<Reloader>(loop_, *supervisor_, *plugins_, config_.file, std::move(memory_), state,
                                           [this](const HostConfig &host) { take_over(host); });
    return build_control();
  }

  Result<void> build_control() {
    HostStatus facts;
    facts.pid = getpid();
    facts.version = HOSTLER_VERSION;
    facts.config = config_.file;
    facts.state_dir = config_.host.state;
    api_ = std::make_unique<ControlApi>(loop_, *supervisor_, *reloader_, facts, EventLoop::now(), [this] { stop(); });
    auto server = ControlServer::open(loop_, config_.host.state, [this](const ControlRequest &request, auto reply) {
      api_->handle(request, [this, reply = std::move(reply)](ControlReply answer) {
        spare_memory_->note_reply(answer.body.size());
        reply(std::move(answer));
      });
    });
    if (!server) return tl::unexpected(server.error());
    server_ = std::move(*server);
    supervisor_->on_settled([this] {
      api_->on_settled();
      spare_memory_->look_at_fleet();
    });
    signals_->deliver_to(loop_, [this](int number, pid_t pid) { on_signal(number, pid); });
    return {};
  }

  // What a reload changes of the host itself.
  void take_over(const HostConfig &host) {
    umask(host.umask);
    logs_->set_limits(host.logs);
  }

  void store_waits(const std::string &trouble) {
    logs_->host(LogLevel::Warning,
                trouble.empty() ? "what jobs waited for has passed" : trouble + "; jobs wait until this has passed");
    supervisor_->set_waits_for(trouble);
  }

  void started(const ReloadOutcome &plans) {
    if (stopping_) return report_(exit_code_ = ExitCode::Interrupted, "stopped before it was ready");
    if (!plans) {
      exit_code_ = plans.error().invalid_config ? ExitCode::InvalidConfig : ExitCode::Failed;
      report_(exit_code_, plans.error().error.text());
      return stop();
    }
    logs_->host(LogLevel::Info, fmt::format("hostler {} is up, pid {}, {}", HOSTLER_VERSION, getpid(), config_.file));
    give_back_memory();
    std::string words = fmt::format("(pid {}): {}", getpid(), supervisor_->size_words());
    for (const EntryPlan &plan : plans->entries)
      if (changes_begun_work(plan)) words += "\n" + plan_line(plan);
    report_(ExitCode::Fine, words);
  }

  void on_signal(int number, pid_t pid) {
    switch (number) {
      case SIGHUP: return reloader_->reload({}, [](const auto &) {});
      case SIGCHLD: return fleet_->on_child_signal(pid);
      case SIGUSR1: logs_->reopen(); return logs_->host(LogLevel::Info, "log files reopened: SIGUSR1");
      case SIGQUIT:
        logs_->host(LogLevel::Info, "stopping at once: SIGQUIT");
        set_stopping();
        return supervisor_->stop_at_once([this] { loop_.stop(); });
      default: return stop();  // TERM, INT
    }
  }

  void set_stopping() {
    if (!std::exchange(stopping_, true)) pidfile_->set_leaving();
    reloader_->stop();
  }

  void stop() {
    logs_->host(LogLevel::Info, "stopping");
    set_stopping();
    supervisor_->stop([this] { loop_.stop(); });
  }

  HostOptions options_;
  StartReport report_;
  ExitCode exit_code_ = ExitCode::Fine;
  bool stopping_ = false;
  EventLoop loop_;  // outlives all that is watched on it
  std::optional<HostSignals> signals_;
  Config config_;
  EntryMemory memory_;  // the reloader's, once there is one
  std::optional<Pidfile> pidfile_;
  std::unique_ptr<LogFiles> logs_;
  std::unique_ptr<Fleet> fleet_;
  std::optional<SpareMemory> spare_memory_;
  std::unique_ptr<DurableJobStore> store_;
  std::unique_ptr<Supervisor> supervisor_;
  std::optional<PluginStore> plugins_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<ControlApi> api_;
  std::unique_ptr<ControlServer> server_;
};

}  // namespace

ExitCode run_host(const HostOptions &options, const StartReport &report) {
  set_own_title("hostler: host " + options.config);
  std::unique_ptr<Host> host;
  try {
    host = std::make_unique<Host>(options, report);
  } catch (const std::system_error &error) {
    report(ExitCode::Failed, std::string("no event loop could be made: ") + error.what());
    return ExitCode::Failed;
  }
  return host->run();
}

}  // namespace hostler
