#include "cli/cli_main.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/say.h"
#include "core/suggest.h"
#include "edge/stack_limit.h"

namespace hostler {
namespace {

constexpr const char *kWelcome = R"(hostler runs your plugins as supervised, crash-isolated workers.

What to do next:
  hostler check      is workers.yaml here right, and do its plugins load?
  hostler run        run its jobs to their end, with progress and results
  hostler up         keep its services and jobs running in the background
  hostler status     what runs
  hostler --help     all commands; `hostler COMMAND --help` has an example of each

The smallest workers.yaml:
  workers:
    - plugin: wordcount.so
      input: {lines: "data/*.txt"}
)";

EntriesCommand on_entries(OperatorVerb verb, std::vector<std::string> names = {}) {
  EntriesCommand command;
  command.command.verb = verb;
  command.command.names = std::move(names);
  return command;
}

// What all commands write their options into.
struct Arguments {
  StartOptions start;
  Address address;
  ReloadCommand reload;
  EntriesCommand start_entries = on_entries(OperatorVerb::Start);
  EntriesCommand stop_entries = on_entries(OperatorVerb::Stop);
  EntriesCommand restart_entries = on_entries(OperatorVerb::Restart);
  EntriesCommand pause_jobs = on_entries(OperatorVerb::Pause);
  EntriesCommand resume_jobs = on_entries(OperatorVerb::Resume);
  EntriesCommand cancel_jobs = on_entries(OperatorVerb::Cancel);
  EntriesCommand scale_entry = on_entries(OperatorVerb::Scale, {""});
  EntriesCommand retry_job = on_entries(OperatorVerb::Retry, {""});
  SlicesCommand slices;
  std::vector<std::string> slices_state;
  FailedCommand failed;
  JoblogCommand joblog;
  ReplayCommand replay;
  LogsCommand logs;
  ResultsCommand results;
  std::string config = "workers.yaml";
  bool json = false;
};

using Command = std::function<Outcome<ExitCode>()>;

class CommandLine {
 public:
  CommandLine() : app_("hostler: runs your plugins as supervised, crash-isolated workers", "hostler") {
    app_.set_version_flag("--version", std::string("hostler ") + HOSTLER_VERSION);
    app_.require_subcommand(0, 1);
    app_.get_formatter()->column_width(28);
    app_.failure_message([](const CLI::App *, const CLI::Error &error) {
      return fmt::format("hostler: {} (`hostler --help`, `hostler COMMAND --help`)\n", error.what());
    });
    add_start_commands();
    add_host_commands();
    add_entry_commands();
    add_order_commands();
    add_reading_commands();
    add_account_commands();
    add_replay_command();
  }

  int run(int argc, char **argv) {
    if (argc > 1 && argv[1][0] != '-' && !is_command(argv[1])) return refuse_command(argv[1]);
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError &error) {
      return app_.exit(error) == 0 ? finish(ExitCode::Fine) : static_cast<int>(ExitCode::Usage);
    }
    if (!chosen_) {
      say("{}", kWelcome);
      return finish(ExitCode::Fine);
    }
    const auto outcome = carry_out();
    if (outcome) return finish(*outcome);
    std::fflush(stdout);
    warn("hostler: {}\n", outcome.error().text);
    return static_cast<int>(outcome.error().code);
  }

 private:
  [[nodiscard]] Outcome<ExitCode> carry_out() {
    if (auto enough = check_stack_limit(); !enough) return give_up(ExitCode::Failed, enough.error());
    return chosen_();
  }
  // What could not be written, to a full disk say, must not look like success. A reader that has gone has seen enough.
  [[nodiscard]] static int finish(ExitCode code) {
    errno = 0;
    if ((std::fflush(stdout) == 0 && std::ferror(stdout) == 0) || errno == EPIPE) return static_cast<int>(code);
    warn("hostler: standard output is not complete: {}\n",
         errno != 0 ? std::strerror(errno) : "some of it could not be written");
    return static_cast<int>(code == ExitCode::Fine ? ExitCode::Failed : code);
  }
  [[nodiscard]] bool is_command(const std::string &word) const {
    const auto commands = app_.get_subcommands([&](const CLI::App *command) { return command->get_name() == word; });
    return !commands.empty();
  }
  [[nodiscard]] int refuse_command(const std::string &word) const {
    std::vector<std::string> names;
    for (const CLI::App *command : app_.get_subcommands({})) names.push_back(command->get_name());
    const std::vector<std::string_view> known(names.begin(), names.end());
    const auto near = nearest(word, known);
    warn("hostler: there is no command {} ({})\n", word,
         near ? fmt::format("did you mean {}?", *near) : fmt::format("there are: {}", fmt::join(known, ", ")));
    return static_cast<int>(ExitCode::Usage);
  }
  CLI::App *add(const std::string &name, const std::string &description, const std::string &example, Command command) {
    CLI::App *sub = app_.add_subcommand(name, description);
    sub->footer("Example:\n  " + example);
    sub->callback([this, command = std::move(command)] { chosen_ = command; });
    return sub;
  }
  static void add_config(CLI::App *command, std::string &config) {
    command->add_option("-c,--config", config, "The configuration (default: workers.yaml)")->type_name("FILE");
  }
  static void add_address(CLI::App *command, Address &address) {
    add_config(command, address.config);
    command->add_option("--state", address.state, "The host's state folder, instead of a configuration")
        ->type_name("DIR");
  }
  static void add_job_changes(CLI::App *command, std::vector<std::string> &fresh, std::vector<std::string> &resume) {
    command->add_option("--fresh", fresh, "Start this job from zero, changed or not (repeatable)")
        ->type_name("NAME")
        ->allow_extra_args(false);
    command->add_option("--resume", resume, "A changed, failed or partial job: keep what is done (repeatable)")
        ->type_name("NAME")
        ->allow_extra_args(false);
  }

  void add_start_commands() {
    CLI::App *up = add("up", "Start the host in the background; returns when it is ready", "hostler up -c workers.yaml",
                       [this] { return run_up(arguments_.start); });
    add_config(up, arguments_.start.config);
    up->add_flag("--foreground", arguments_.start.foreground,
                 "Stay here and log to standard error (containers, systemd)");
    add_job_changes(up, arguments_.start.fresh, arguments_.start.resume);

    CLI::App *run = add("run", "Run all jobs to their end, with progress and results; services run meanwhile",
                        "hostler run -c workers.yaml --fresh wordcount", [this] { return run_jobs(arguments_.start); });
    add_config(run, arguments_.start.config);
    add_job_changes(run, arguments_.start.fresh, arguments_.start.resume);

    CLI::App *check = add("check", "Check the configuration and its plugins, and show what a reload would change",
                          "hostler check -c workers.yaml", [this] { return run_check(arguments_.config); });
    add_config(check, arguments_.config);
  }

  void add_host_commands() {
    CLI::App *down = add("down", "Stop the host and all its workers, gracefully; returns when they are gone",
                         "hostler down --state /var/lib/hostler", [this] { return run_down(arguments_.address); });
    add_address(down, arguments_.address);

    CLI::App *status = add("status", "Show what runs", "hostler status --json | jq '.entries[].state'",
                           [this] { return run_status(arguments_.address, arguments_.json); });
    add_address(status, arguments_.address);
    status->add_flag("--json", arguments_.json, "As JSON");

    CLI::App *reload = add("reload", "Apply the configuration as it is now: all of it, or nothing and the reason",
                           "hostler reload --resume wordcount", [this] { return run_reload(arguments_.reload); });
    add_address(reload, arguments_.reload.address);
    add_job_changes(reload, arguments_.reload.fresh, arguments_.reload.resume);
  }

  CLI::App *add_on_entries(const std::string &name, const std::string &description, const std::string &example,
                           EntriesCommand &command) {
    CLI::App *sub = add(name, description, example, [&command] { return run_on_entries(command); });
    add_address(sub, command.address);
    sub->add_option("NAME", command.command.names, "Entries");
    sub->add_flag("--all", command.command.all, "Every entry of the file that can");
    return sub;
  }

  void add_entry_commands() {
    CLI::App *start = add_on_entries("start", "Start entries that were stopped, have failed or are finished; waits",
                                     "hostler start tick", arguments_.start_entries);
    add_job_changes(start, arguments_.start_entries.command.fresh, arguments_.start_entries.command.resume);
    add_on_entries("stop", "Stop entries, gracefully; they stay stopped until somebody starts them; waits",
                   "hostler stop tick", arguments_.stop_entries);
    add_on_entries("restart", "Replace the workers of entries by new ones; waits", "hostler restart tick",
                   arguments_.restart_entries);

    EntriesCommand &scaling = arguments_.scale_entry;
    CLI::App *scale = add("scale", "Give an entry so many workers, until the file says another count; waits",
                          "hostler scale tick 4", [&scaling] { return run_on_entries(scaling); });
    add_address(scale, scaling.address);
    scale->add_option("NAME", scaling.command.names.front(), "The entry")->required();
    scale->add_option("N", scaling.command.count, "Workers")->required();
  }

  // What is said to jobs.
  void add_order_commands() {
    add_on_entries("pause", "Jobs: slices that run end, no other is handed out, until somebody resumes",
                   "hostler pause wordcount", arguments_.pause_jobs);
    add_on_entries("resume", "Jobs: go on after a pause", "hostler resume wordcount", arguments_.resume_jobs);
    add_on_entries("cancel", "Jobs: end now, with that verdict; what is done is kept; waits",
                   "hostler cancel wordcount", arguments_.cancel_jobs);

    EntriesCommand &retrying = arguments_.retry_job;
    CLI::App *retry =
        add("retry", "Try again what a job has given up, with the plugin as it is now; also without a host",
            "hostler retry wordcount 0-16777216", [&retrying] { return run_on_entries(retrying); });
    add_address(retry, retrying.address);
    retry->add_option("NAME", retrying.command.names.front(), "The job")->required();
    retry->add_option("SLICE", retrying.command.slices, "INPUT-BEGIN, or merge; default: all that is given up");
  }

  // What a job has come to, by its ledger; also without a host.
  void add_account_commands() {
    CLI::App *slices = add("slices", "List a job's slices: a line for each stretch in the same state",
                           "hostler slices wordcount --state quarantined", [this] { return run_slices_in_state(); });
    add_config(slices, arguments_.slices.address.config);
    slices->add_option("NAME", arguments_.slices.job, "The job")->required();
    slices
        ->add_option("--state", arguments_.slices_state,
                     "Only these: ready, running, committing, done, backoff, quarantined or isolated; "
                     "or, any other word, the host's state folder")
        ->type_name("STATE|DIR")
        ->allow_extra_args(false);
    slices->add_flag("--json", arguments_.slices.json, "One JSON object a line");

    CLI::App *failed = add("failed", "List what a job has given up, and why", "hostler failed wordcount --json",
                           [this] { return run_failed(arguments_.failed); });
    add_address(failed, arguments_.failed.address);
    failed->add_option("NAME", arguments_.failed.job, "The job")->required();
    failed->add_flag("--json", arguments_.failed.json, "One JSON object a line");
    failed->add_flag("--lines", arguments_.failed.lines, "The number of the line that a record is");

    CLI::App *joblog = add("joblog", "Print what became of every attempt at a slice, as GNU parallel's --joblog does",
                           "hostler joblog wordcount >wordcount.tsv", [this] { return run_joblog(arguments_.joblog); });
    add_address(joblog, arguments_.joblog.address);
    joblog->add_option("NAME", arguments_.joblog.job, "The job")->required();
    joblog->add_flag("--json", arguments_.joblog.json, "One JSON object a line");
  }

  void add_replay_command() {
    CLI::App *replay =
        add("replay", "Run one slice again, in the foreground; ledger and output are not touched",
            "hostler replay wordcount.0-16777216 --debug", [this] { return run_replay(arguments_.replay); });
    add_address(replay, arguments_.replay.address);
    replay->add_option("SLICE", arguments_.replay.slice, "NAME.INPUT-BEGIN, or NAME.merge")->required();
    replay->add_flag("--debug", arguments_.replay.debug, "Under gdb, stopped where run() begins");
  }

  Outcome<ExitCode> run_slices_in_state() {
    for (const std::string &word : arguments_.slices_state) {
      if (const auto state = slice_state_from_name(word))
        arguments_.slices.state = state;
      else
        arguments_.slices.address.state = word;
    }
    return run_slices(arguments_.slices);
  }

  void add_reading_commands() {
    CLI::App *logs = add("logs", "Show what the workers have printed", "hostler logs wordcount/3 -f",
                         [this] { return run_logs(arguments_.logs); });
    add_address(logs, arguments_.logs.address);
    logs->add_option("NAME", arguments_.logs.name, "An entry, or one of its instances (NAME/I); default: all");
    logs->add_flag("-f,--follow", arguments_.logs.follow, "Go on as they print more");

    CLI::App *plugins =
        add("plugins", "List the plugins folder: id, version, ABI, build, used by", "hostler plugins --json",
            [this] { return run_plugins(arguments_.config, arguments_.json); });
    add_config(plugins, arguments_.config);
    plugins->add_flag("--json", arguments_.json, "As JSON");

    CLI::App *results = add("results", "Print a job's result: its merge's, or each slice's in order",
                            "hostler results wordcount", [this] { return run_results(arguments_.results); });
    add_address(results, arguments_.results.address);
    results->add_option("NAME", arguments_.results.job, "The job")->required();
    results->add_flag("--wait", arguments_.results.wait, "Until the job has ended, if a host runs it");
    results->add_flag("--report", arguments_.results.report, "How the job went, instead of its results");
    results->add_flag("--json", arguments_.results.json, "One JSON object a line");
  }

  CLI::App app_;
  Arguments arguments_;
  Command chosen_;
};

}  // namespace

int cli_main(int argc, char **argv) {
  return CommandLine().run(argc, argv);
}

}  // namespace hostler
