// replay: one slice again, in the foreground, with the input, parameters and build of its last attempt; neither the ledger
// nor the output is touched.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/job_ledger.h"
#include "cli/say.h"
#include "core/crash.h"
#include "core/exit_status.h"
#include "core/on_exit.h"
#include "core/plain_text.h"
#include "core/plan.h"
#include "core/slice_range.h"
#include "crash_cases.h"
#include "edge/attempt_copy.h"
#include "edge/config_yaml.h"
#include "edge/merge_file.h"
#include "edge/plugin_store.h"
#include "edge/replay_worker.h"
#include "edge/symboliser.h"
#include "worker/replay_main.h"

namespace hostler {
namespace {

constexpr const char *kDebugger = "gdb";

// A folder for what the slice writes, which stays if there is anything in it.
class Workshop {
 public:
  static Result<Workshop> make(const std::optional<User> &user) {
    std::error_code ignored;
    std::string path = (std::filesystem::temp_directory_path(ignored) / "hostler-replay.XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return fail(path, "cannot be made");
    Workshop made(std::move(path));
    if (::mkdir(made.attempts().c_str(), 0700) != 0) return fail(made.attempts(), "cannot be made");
    if (user)
      for (const std::string &each : {made.path_, made.attempts()})
        if (::chown(each.c_str(), user->uid, user->gid) != 0) return fail(each, "cannot be given to " + user->name);
    return made;
  }
  Workshop(Workshop &&other) noexcept : path_(std::exchange(other.path_, {})) {}
  Workshop &operator=(Workshop &&) = delete;
  Workshop(const Workshop &) = delete;
  Workshop &operator=(const Workshop &) = delete;
  ~Workshop() {
    if (path_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove(merge_input(), ignored);
    std::filesystem::remove(attempts(), ignored);  // only when there is nothing in it
    std::filesystem::remove(path_, ignored);
  }
  [[nodiscard]] std::string attempts() const { return path_ + "/files"; }
  [[nodiscard]] std::string merge_input() const { return path_ + "/merge-input"; }

 private:
  explicit Workshop(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The last attempt at the slice that begins here, or nothing.
Result<std::optional<Attempt>> last_attempt_at(JobLedger &job, std::int64_t position) {
  const SliceRange slice = range_of(job.job().manifest, {position, position + 1});
  std::optional<Attempt> last;
  const auto covers = [&](const SliceRange &range) {
    if (slice.merge || range.merge) return slice.merge == range.merge;
    const auto at = std::pair(slice.input, slice.begin);
    const auto end = std::pair(range.last_input, range.end);
    return std::pair(range.input, range.begin) <= at && (at < end || range.begin == slice.begin);
  };
  const auto read = job.ledger().for_each_attempt(job.job().name, [&](const Attempt &attempt) -> Result<void> {
    if (covers(attempt.range)) last = attempt;
    return {};
  });
  if (!read) return tl::unexpected<Error>(read.error());
  return last;
}

// What runs it. The build of its last attempt is the one that its checkpoint is for.
struct Program {
  std::string library;
  std::optional<std::int64_t> state_version;  // of another build than that
};

// The lease that a host would give out for this slice, were it alone in the world; `attempt` counts from 1.
Result<Lease> lease_of(JobLedger &job, std::int64_t position, std::int32_t attempt, const Program &program) {
  const Manifest &plan = job.job().manifest;
  const std::int64_t all = plan.positions();
  std::optional<SliceRow> row;
  auto read = job.ledger().for_each_row(job.job().name, [&](const SliceRow &each) -> Result<void> {
    if (each.begin <= position && position < each.end) row = each;
    return {};
  });
  if (!read) return tl::unexpected<Error>(read.error());
  const bool cut = row && (row->state != SliceState::Done || !row->plain());  // it may be a part of what was planned
  Interval slice{position, position + 1};
  if (position < all) slice = plan.slice_at(position, {position, cut ? row->end : all}).global;
  JobSettings settings;
  settings.has_merge = position >= all;
  std::vector<SliceRow> rows;  // all else is done
  if (slice.begin > 0) rows.push_back({0, std::min(slice.begin, all), SliceState::Done, 0, 0, {}});
  const auto checkpoint = row && row->begin == slice.begin ? row->checkpoint : nullptr;
  if (checkpoint) settings.state_version = program.state_version.value_or(checkpoint->state_version);
  if (checkpoint && settings.state_version != checkpoint->state_version)
    warn("{}: begins anew: its checkpoint is of state version {}, the plugin of {}\n", job.job().name,
         checkpoint->state_version, settings.state_version);
  if (attempt > 1 || checkpoint)
    rows.push_back({slice.begin, slice.end, SliceState::Ready, attempt - 1, 0, {}, checkpoint});
  if (slice.end < all) rows.push_back({slice.end, all, SliceState::Done, 0, 0, {}});
  auto lease = Job(settings, plan, rows).lease(1, TimePoint{}, 1);
  if (!lease) return fail(job.job().name, "has no such slice");
  return std::move(*lease);
}

// The slice goes on at its checkpoint, with copies of its files.
Result<void> bring_checkpoint(JobLedger &job, const SliceRange &slice, const Workshop &workshop,
                              const std::optional<User> &user, Lease &lease) {
  Saved &saved = *lease.saved;
  auto data = job.ledger().checkpoint_data(job.job().name, slice.input, slice.begin);
  if (!data) return tl::unexpected<Error>(data.error());
  saved.data = std::move(*data).value_or("");
  if (saved.attempt_dir.empty()) return {};
  const std::string copy = workshop.attempts() + "/" + attempt_folder(slice.input, slice.begin, false, lease.id);
  Result<void> copied = copy_committed(saved.attempt_dir, saved.files, copy, user);
  saved.attempt_dir = copy;
  return copied;
}

struct Configured {
  EntryConfig entry;
  HostConfig host;
};

// As the file has them now: the ledger does not know them.
std::optional<Configured> surroundings_of(const ReplayCommand &command, const std::string &job) {
  const auto config = read_config(command.address.config);
  if (!config) {
    warn("{}: folder and environment are those of here: {}\n", job, config.error().text());
    return std::nullopt;
  }
  for (const EntryConfig &entry : config->entries)
    if (entry.name == job) return Configured{entry, config->host};
  warn("{}: is no longer in {}: folder and environment are those of here\n", job, command.address.config);
  return std::nullopt;
}

Result<Program> find_program(const StoredJob &job, const std::optional<Attempt> &last, const std::string &state_dir,
                             const std::optional<Configured> &around) {
  if (last && ::access(last->build->library.c_str(), R_OK) == 0) return Program{last->build->library, {}};
  if (last) warn("{}: the build of the last attempt is gone: taken is the plugin as it is now\n", job.name);
  if (!around) return fail(job.name, "nobody knows which plugin it runs", "give its configuration with -c");
  const auto build = PluginStore(state_dir + "/store", "/proc/self/exe")
                         .add(around->entry.plugin, around->entry.sha256, around->entry.user);
  if (!build) return tl::unexpected<Error>(build.error());
  return Program{build->library, build->state_version};
}

Start start_of(const StoredJob &job, const std::string &library, const Workshop &workshop,
               const std::optional<Configured> &around) {
  Start start;
  start.name = job.name;
  start.library = library;
  start.plugin = std::filesystem::path(library).filename();
  start.params = job.identity.params;
  start.job = true;
  start.job_id = job.id;
  start.attempts_dir = workshop.attempts();
  if (!around) return start;
  const EntryConfig &entry = around->entry;
  start.cwd = entry.cwd;
  start.umask = around->host.umask;
  start.env = entry.env;
  start.stop_signal = entry.stop.signal;
  start.codes = counted_codes(entry.on_exit);
  start.limits = entry.limits;
  if (entry.user)
    for (const auto &[key, value] :
         {std::pair("HOME", entry.user->home), {"USER", entry.user->name}, {"LOGNAME", entry.user->name}})
      start.env.emplace(key, value);
  return start;
}

Outcome<std::vector<std::string>> command_line(const ReplayWorker &worker, bool debug) {
  std::error_code error;
  const std::string binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return give_up(ExitCode::Failed, "/proc/self/exe: " + error.message());
  std::vector<std::string> argv{binary, kReplayCommand, std::to_string(worker.channel()),
                                std::to_string(worker.page())};
  if (!debug) return argv;
  std::vector<std::string> under{kDebugger, "-q",  "-ex",   "set breakpoint pending on", "-ex", "tbreak -qualified run",
                                 "-ex",     "run", "--args"};
  under.insert(under.end(), argv.begin(), argv.end());
  return under;
}

bool is_installed(const std::string &program) {
  const char *path = std::getenv("PATH");
  std::string_view left = path == nullptr ? "" : path;
  while (!left.empty()) {
    const auto folder = left.substr(0, left.find(':'));
    if (::access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0) return true;
    left.remove_prefix(std::min(left.size(), folder.size() + 1));
  }
  return false;
}

struct Site {
  std::string detail;
  std::string words;
};

// As the host tells of a worker's: where it was, and how it came there.
Site tell_of_crash(const CrashCapture &capture, const std::string &library) {
  const Crash crash = understand(capture);
  const Backtrace backtrace = symbolise_now(find_symboliser("/proc/self/exe"), capture);
  warn("crash: {} in {}\n", signal_words(crash), thread_words(crash));
  for (const std::string &line : plugin_lines(backtrace)) warn("  {}\n", line);
  if (!backtrace.problem.empty()) warn("crash: {}\n", backtrace.problem);
  const std::string site = site_words(backtrace, library.substr(0, library.rfind('/')));
  return {crash.detail, site.empty() ? crash.site : site};
}

Judgement judge(const ReplayWorker::Ended &ended, const SliceRange &slice, std::int64_t shift,
                const std::string &library) {
  if (ended.slice) return hostler::judge(*ended.slice, false, {}, shift, ended.advanced);
  if (ended.whole) return {Verdict::Done, {}};
  Departure departure;
  departure.status = ended.status;
  departure.page = ended.page;
  departure.page_known = ended.page.layout == kPageLayout;
  if (ended.page.begun >= 0) departure.place = slice.merge ? std::string(kInMerge) : "in slice " + place_name(slice);
  if (ended.crash) {
    const Site site = tell_of_crash(*ended.crash, library);
    departure.crash_detail = site.detail;
    departure.crash_site = site.words;
  }
  return hostler::judge(departure);
}

// What it left, on standard output; the words about it on standard error.
void tell_what_it_left(const ReplayWorker::Ended &ended, const Workshop &workshop) {
  const SliceEnded &slice = *ended.slice;
  std::map<std::string, std::int64_t> counters = ended.counters;
  for (const auto &[counter, delta] : slice.counters) counters[counter] += delta;
  if (slice.has_result) write_text(stdout, slice.result + (slice.result.ends_with('\n') ? "" : "\n"));
  for (const auto &[counter, delta] : counters) warn("counter {} {}\n", counter, delta);
  for (const auto *skipped : {&ended.skipped, &slice.skipped})
    for (const Aside &record : *skipped)
      warn("skipped {}-{}: {}\n", record.begin, record.end, in_one_line(record.reason));
  for (const std::string &file : slice.files) warn("file {}/{}\n", slice.attempt_dir, in_one_line(file));
  if (slice.files.empty() && std::filesystem::exists(workshop.attempts()) &&
      !std::filesystem::is_empty(workshop.attempts()))
    warn("what it wrote is in {}\n", workshop.attempts());
}

}  // namespace

Outcome<ExitCode> run_replay(const ReplayCommand &command) {
  const auto name = parse_slice_name(command.slice);
  if (!name)
    return give_up(ExitCode::Usage,
                   command.slice + " names no slice: NAME.INPUT-BEGIN does, as `hostler slices` shows it");
  if (command.debug && !is_installed(kDebugger))
    return give_up(ExitCode::Failed,
                   "gdb is not installed: apt-get install gdb, or whatever your system says for that");
  const StateDir state = state_dir_of(command.address);
  auto job = JobLedger::open(state.path, name->job);
  if (!job) return give_up(ExitCode::Failed, job.error());
  const Manifest &plan = job->job().manifest;
  const auto position = position_of(plan, name->job, name->place);
  if (!position) return give_up(ExitCode::Failed, position.error());
  const auto last = last_attempt_at(*job, *position);
  if (!last) return give_up(ExitCode::Failed, last.error());
  const auto around = surroundings_of(command, name->job);
  const auto program = find_program(job->job(), *last, state.path, around);
  if (!program) return give_up(ExitCode::Failed, program.error());
  auto lease = lease_of(*job, *position, *last ? (*last)->attempt : 1, *program);
  if (!lease) return give_up(ExitCode::Failed, lease.error());
  const SliceRange slice = range_of(plan, {lease->begin, lease->end});
  const auto user = around ? around->entry.user : std::nullopt;
  auto workshop = Workshop::make(user);
  if (!workshop) return give_up(ExitCode::Failed, workshop.error());
  if (slice.merge) {
    lease->merge_input = workshop->merge_input();
    if (auto written = write_merge_file(job->ledger(), name->job, lease->merge_input); !written)
      return give_up(ExitCode::Failed, written.error().error);
  }
  if (lease->saved)
    if (auto brought = bring_checkpoint(*job, slice, *workshop, user, *lease); !brought)
      return give_up(ExitCode::Failed, brought.error());
  auto worker = ReplayWorker::create();
  if (!worker) return give_up(ExitCode::Failed, worker.error());
  const auto argv = command_line(*worker, command.debug);
  if (!argv) return tl::unexpected<Failure>(argv.error());
  warn("{}: {}\n", command.slice, program->library);
  const auto ended = worker->run(*argv, user, start_of(job->job(), program->library, *workshop, around), *lease);
  if (!ended) return give_up(ExitCode::Failed, ended.error());
  if (ended->slice) tell_what_it_left(*ended, *workshop);
  if (command.debug && !ended->slice && !ended->whole) {
    warn("{}: did not come to its end\n", command.slice);
    return ExitCode::Failed;
  }
  const std::int64_t shift = slice.merge ? 0 : slice.begin - lease->begin;
  const Judgement judgement = judge(*ended, slice, shift, program->library);
  warn("{}: {}{}{}\n", command.slice, told_name(judgement.verdict, ended->status), judgement.reason.empty() ? "" : ": ",
       judgement.reason);
  return judgement.verdict == Verdict::Done ? ExitCode::Fine : ExitCode::Failed;
}

}  // namespace hostler
