#include "model/world.h"

#include <algorithm>
#include <csignal>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "fakes/fleet_fixture.h"
#include "model/oracle.h"

namespace hostler {
namespace {

constexpr const char *kJob = "j";

// The first thing that was found; everybody may find one.
struct Findings {
  std::string first;
  std::function<void(const std::string &)> tell;
  void add(const std::string &what) {
    if (!first.empty()) return;
    first = what;
    tell("*** " + what);
  }
};

// What a job has left, as far as it is durable.
struct Left {
  struct Result {
    std::int64_t end = 0;
    std::string text;
    bool files = false;
  };
  std::map<std::int64_t, Result> results;  // by global begin; merge's too
};

// The ledger between supervisor and memory. After each transaction its rows are what the oracle said when it was asked for;
// the host hears of it a moment later, and may be dead by then. While the disk is full all waits.
class WatchedStore final : public JobStore {
 public:
  // `state_version`: of the build that is wanted.
  WatchedStore(FakeSystem &system, Oracle &oracle, const Manifest &manifest, const std::int64_t &state_version,
               Findings &findings)
      : system_(system),
        oracle_(oracle),
        manifest_(manifest),
        state_version_(state_version),
        findings_(findings),
        inner_(system) {}

  MemoryStore &inner() { return inner_; }
  [[nodiscard]] const MemoryStore &inner() const { return inner_; }
  [[nodiscard]] const std::vector<Place> &durable() const { return durable_; }
  [[nodiscard]] const Left &left() const { return left_; }
  [[nodiscard]] bool is_leased(std::int64_t position) const {
    return states_.size() > static_cast<std::size_t>(position) &&
           states_[static_cast<std::size_t>(position)] == SliceState::Leased;
  }
  // A checkpoint stands there in the ledger.
  [[nodiscard]] bool is_saved(std::int64_t position) const {
    return position > 0 && durable_.size() >= static_cast<std::size_t>(position) &&
           durable_[static_cast<std::size_t>(position) - 1].saved.has_value();
  }
  [[nodiscard]] std::int64_t slices_given_up() const { return std::ssize(slices_given_up_); }
  [[nodiscard]] std::int64_t records_isolated() const { return records_isolated_; }
  void fill_disk(Duration time) {
    full_until_ = std::max(full_until_, system_.now() + time);
    system_.at(full_until_, [this] { work_off(); });
  }
  // The host is dead: what has not become durable never will.
  void lose() {
    inner_.crash();
    ++life_;
    waiting_.clear();
  }

  void commit(StoreBatch batch, Done done) override {
    for (const StoreStep &step : batch) {
      if (std::holds_alternative<CreateJob>(step)) oracle_.from_zero();
      if (std::holds_alternative<ReplanJob>(step)) oracle_.go_on_anew();
      if (const auto *end = std::get_if<EndCheckpoint>(&step); end != nullptr && end->take_back) {
        const std::int64_t begin = manifest_.offset(end->input) + end->begin - manifest_.base();
        if (const std::string wrong = oracle_.take_back(begin, state_version_); !wrong.empty()) findings_.add(wrong);
      }
    }
    waiting_.push_back([this, batch = std::move(batch), done = std::move(done), places = oracle_.places()] {
      inner_.commit(batch, [this, batch, done, places](const Result<void> &result) {
        note(batch, places);
        tell([done, result] { done(result); });
      });
    });
    work_off();
  }
  void write_merge_input(const std::string &job, std::function<void(Result<std::string>)> done) override {
    waiting_.push_back([this, job, done = std::move(done)] {
      inner_.write_merge_input(job,
                               [this, done](const Result<std::string> &path) { tell([done, path] { done(path); }); });
    });
    work_off();
  }
  void check_outputs(const std::string &job, Done done) override {
    waiting_.push_back([this, job, done = std::move(done)] {
      inner_.check_outputs(job, [this, done](const Result<void> &there) { tell([done, there] { done(there); }); });
    });
    work_off();
  }
  void read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin,
                       std::function<void(Result<std::string>)> done) override {
    waiting_.push_back([this, job, input, begin, done = std::move(done)] {
      inner_.read_checkpoint(job, input, begin,
                             [this, done](const Result<std::string> &data) { tell([done, data] { done(data); }); });
    });
    work_off();
  }
  void check_inputs(std::vector<Input> inputs, Done done) override { inner_.check_inputs(std::move(inputs), done); }
  // At once, so that the oracle and the host hear of a death at the same time.
  void read_record(RecordQuery query, std::function<void(Result<FoundRecord>)> done) override {
    if (query.kind == InputKind::Lines) return done(fail("input", "nobody knows its lines"));
    done(FoundRecord{query.block, true, {}});
  }

 private:
  void work_off() {
    while (!waiting_.empty() && system_.now() >= full_until_) {
      const auto work = std::move(waiting_.front());
      waiting_.pop_front();
      work();
    }
  }
  void tell(std::function<void()> what) {
    system_.at(system_.now() + std::chrono::microseconds(300), [this, what = std::move(what), life = life_] {
      if (life == life_) what();
    });
  }

  void note(const StoreBatch &batch, const std::vector<Place> &places) {
    durable_ = places;
    bool rows = false;
    for (const StoreStep &step : batch) {
      rows = rows || std::holds_alternative<CreateJob>(step) || std::holds_alternative<ReplanJob>(step) ||
             std::holds_alternative<PutRows>(step) || std::holds_alternative<ReopenJob>(step);
      if (std::holds_alternative<CreateJob>(step)) left_.results.clear();
      if (std::holds_alternative<ReplanJob>(step) || std::holds_alternative<ReopenJob>(step))
        left_.results.erase(oracle_.merge());
      if (const auto *result = std::get_if<PutResult>(&step)) note_result(*result);
      if (const auto *move = std::get_if<MoveFiles>(&step)) left_.results[move->slice.begin].files = true;
    }
    if (rows) compare_rows();
  }

  void note_result(const PutResult &result) {
    const std::int64_t shift = result.merge ? oracle_.merge() : manifest_.offset(result.input) - manifest_.base();
    const std::int64_t begin = result.merge ? oracle_.merge() : result.begin + shift;
    if (left_.results.contains(begin)) findings_.add(fmt::format("a second result of the slice at {}", begin));
    // An empty file has one position, which its plugin does not see.
    const std::int64_t end = result.merge ? begin + 1 : std::max(result.end + shift, begin + 1);
    left_.results[begin] = {end, result.data, false};
  }

  void compare_rows() {
    std::vector<Place> places(durable_.size());
    states_.assign(durable_.size(), std::nullopt);
    slices_given_up_.clear();
    records_isolated_ = 0;
    std::int64_t covered = 0;
    for (const SliceRow &row : inner_.rows(kJob)) {
      if (row.begin < covered || row.end <= row.begin || row.end > static_cast<std::int64_t>(places.size()))
        return findings_.add(fmt::format("a row [{}, {}) that overlaps another, or is none", row.begin, row.end));
      covered = row.end;
      const bool done = row.state == SliceState::Done || row.state == SliceState::Committing;
      const Fate fate = done                                                                        ? Fate::Done
                        : row.state == SliceState::Quarantined || row.state == SliceState::Isolated ? Fate::GivenUp
                                                                                                    : Fate::Open;
      if (row.state == SliceState::Quarantined && row.begin != oracle_.merge())
        slices_given_up_.insert(manifest_.slice_at(row.begin).index);
      if (row.state == SliceState::Isolated) ++records_isolated_;
      for (std::int64_t p = row.begin; p < row.end; ++p) {
        Place &place = places[static_cast<std::size_t>(p)];
        place = {fate, row.attempts, row.temporaries, false};
        if (row.checkpoint && !done && p < row.checkpoint->position)
          place.saved = {row.begin, row.checkpoint->state_version};
        states_[static_cast<std::size_t>(p)] = row.state;
      }
      for (const Interval &crash : row.trouble.crashes)
        if (crash.end - crash.begin <= manifest_.unit() && manifest_.kind() != InputKind::Lines)
          places[static_cast<std::size_t>(crash.begin)].struck = true;
    }
    for (std::size_t p = 0; p < places.size(); ++p)
      if (places[p] != durable_[p])
        return findings_.add(
            fmt::format("position {} is {} in the ledger, and should be {}", p, words(places[p]), words(durable_[p])));
  }

  static std::string words(const Place &place) {
    const char *fate = place.fate == Fate::Open ? "open" : place.fate == Fate::Done ? "done" : "given up";
    return fmt::format("{}{} (attempts {}, temporaries {}{})", fate, place.saved ? " behind a checkpoint" : "",
                       place.attempts, place.temporaries, place.struck ? ", struck" : "");
  }

  FakeSystem &system_;
  Oracle &oracle_;
  const Manifest &manifest_;
  const std::int64_t &state_version_;
  Findings &findings_;
  MemoryStore inner_;
  std::deque<std::function<void()>> waiting_;
  std::vector<Place> durable_;
  std::vector<std::optional<SliceState>> states_;
  std::set<std::int64_t> slices_given_up_;  // of the plan
  std::int64_t records_isolated_ = 0;
  Left left_;
  TimePoint full_until_{};
  int life_ = 0;
};

// Where a build lies tells the version of its state.
std::string library_of(std::int64_t state_version) {
  return fmt::format("/store/{}/j.so", state_version);
}
std::int64_t state_version_of(const std::string &library) {
  return std::stoll(library.substr(library.find_first_of("0123456789")));
}

// Between supervisor and kernel, both ways.
class Between final : public System, public SystemEvents {
 public:
  using Tell = std::function<void(const std::string &)>;
  Between(FakeSystem &system, Oracle &oracle, WatchedStore &store, Findings &findings, Tell tell)
      : system_(system), oracle_(oracle), store_(store), findings_(findings), tell_(std::move(tell)) {}
  void serve(SystemEvents &events) { events_ = &events; }
  bool halted = false;
  std::map<std::int64_t, const FakeWorker *> owners;  // of positions that are claimed and not settled

  TimePoint now() override { return system_.now(); }
  double random() override { return system_.random(); }
  void set_alarm(std::optional<TimePoint> at) override { system_.set_alarm(at); }
  void spawn(WorkerId worker, const SpawnRequest &request) override { system_.spawn(worker, request); }
  void start(WorkerId worker, const Start &start) override {
    oracle_.started(worker, state_version_of(start.library));
    system_.start(worker, start);
  }
  void lease(WorkerId worker, const Lease &lease) override {
    tell_(fmt::format("worker {} gets lease {}: [{}, {})", worker, lease.id, lease.begin, lease.end));
    if (halted) findings_.add("a lease is told, and the job is stopped or paused");
    for (std::int64_t p = lease.begin; p < lease.end; ++p)
      if (!store_.is_leased(p)) findings_.add(fmt::format("a lease of position {} is told before it is durable", p));
    if (const std::string wrong = oracle_.leased(worker, lease); !wrong.empty()) findings_.add(wrong);
    system_.lease(worker, lease);
  }
  void checkpointed(WorkerId worker, const Checkpointed &answer) override {
    tell_(fmt::format("worker {} is answered: {} is durable, or {}", worker, answer.position, answer.error));
    if (answer.error == 0 && !store_.is_saved(answer.position))
      findings_.add(fmt::format("the checkpoint at {} is called durable, and is not", answer.position));
    system_.checkpointed(worker, answer);
  }
  void ask_for_share(WorkerId worker) override { system_.ask_for_share(worker); }
  void set_count(WorkerId worker, std::int32_t count) override { system_.set_count(worker, count); }
  void stop(WorkerId worker, StopWord word, int signal) override {
    tell_(fmt::format("worker {} is told to stop: {} {}", worker, static_cast<int>(word), signal));
    if (word == StopWord::Deadline && system_.page(worker).stage == static_cast<std::uint32_t>(Stage::Checkpointing))
      findings_.add("a worker that waits for the disk is called overdue");
    if (signal == SIGABRT) {
      oracle_.aborted(worker);
    } else if (word == StopWord::Deadline) {
      oracle_.told_deadline(worker, system_.page(worker).begun);
    } else {
      oracle_.asked_to_stop(worker);
    }
    system_.stop(worker, word, signal);
  }
  void dismiss(WorkerId worker) override { system_.dismiss(worker); }
  void kill(WorkerId worker) override {
    oracle_.asked_to_stop(worker);
    system_.kill(worker);
  }
  WorkerPart page(WorkerId worker) override { return system_.page(worker); }
  std::int64_t resident(WorkerId worker) override { return system_.resident(worker); }
  void investigate(WorkerId worker, const std::string &entry, const std::string &report) override {
    system_.investigate(worker, entry, report);
  }

  void on_spawned(WorkerId worker, int pid) override { events_->on_spawned(worker, pid); }
  void on_spawn_failed(WorkerId worker, const Error &error) override { events_->on_spawn_failed(worker, error); }
  void on_message(WorkerId worker, const WorkerMessage &message) override {
    tell_(fmt::format("worker {} says {}", worker, words(message)));
    if (const std::string wrong = oracle_.heard(worker, message); !wrong.empty()) findings_.add(wrong);
    if (const auto *ended = std::get_if<SliceEnded>(&message)) disown(worker, ended->slice);
    if (std::holds_alternative<LeaseEnded>(message)) disown(worker, {0, oracle_.merge() + 1});
    events_->on_message(worker, message);
  }
  void on_garbage(WorkerId worker, const Error &error) override { events_->on_garbage(worker, error); }
  void on_crash(WorkerId worker, const Crash &crash) override { events_->on_crash(worker, crash); }
  void on_backtrace(WorkerId worker, const Backtrace &backtrace) override { events_->on_backtrace(worker, backtrace); }
  void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) override {
    tell_(fmt::format("worker {} is gone: {}, begun {}, stage {}", worker, hostler::words(status), page.begun,
                      page.stage));
    oracle_.died(worker, status, page);
    disown(worker, {0, oracle_.merge() + 1});
    events_->on_exit(worker, status, page);
  }
  void on_alarm() override { events_->on_alarm(); }

  // A worker is about to work on these.
  void own(const FakeWorker &worker, Interval positions) {
    for (std::int64_t p = positions.begin; p < positions.end; ++p) {
      const auto owner = owners.find(p);
      if (owner != owners.end() && owner->second != &worker)
        findings_.add(fmt::format("two workers are at position {}", p));
      const Place &place = oracle_.places()[static_cast<std::size_t>(p)];
      if (place.fate != Fate::Open || place.saved)
        findings_.add(fmt::format("position {} is worked on, and has ended", p));
      owners[p] = &worker;
    }
  }

 private:
  static std::string words(const WorkerMessage &message) {
    if (const auto *ended = std::get_if<SliceEnded>(&message))
      return fmt::format("that [{}, {}) returned {}, claimed to {}", ended->slice.begin, ended->slice.end,
                         ended->returned, ended->claimed_to);
    if (const auto *segment = std::get_if<SegmentEnded>(&message))
      return fmt::format("that [{}, {}) is to be durable", segment->begin, segment->position);
    if (const auto *cut = std::get_if<LeaseCut>(&message))
      return fmt::format("that lease {} is cut at {}", cut->lease, cut->cut);
    if (const auto *lease = std::get_if<LeaseEnded>(&message))
      return fmt::format("that lease {} has ended at {}", lease->lease, lease->up_to);
    return "that it is up";
  }

  void disown(WorkerId worker, Interval positions) {
    const FakeWorker *gone = system_.find(worker);
    std::erase_if(owners, [&](const auto &owner) {
      return owner.second == gone && owner.first >= positions.begin && owner.first < positions.end;
    });
  }

  FakeSystem &system_;
  Oracle &oracle_;
  WatchedStore &store_;
  Findings &findings_;
  Tell tell_;
  SystemEvents *events_ = nullptr;
};

Manifest manifest_of(const History &history) {
  std::vector<Input> inputs;
  for (const std::int64_t size : history.inputs) {
    Input input;
    if (history.kind != InputKind::Range && history.kind != InputKind::Items)
      input.path = fmt::format("/in/{}", inputs.size());
    input.size = size;
    inputs.push_back(std::move(input));
  }
  std::vector<std::string> items(history.kind == InputKind::Items ? static_cast<std::size_t>(history.inputs[0]) : 0,
                                 "x");
  return {history.kind, std::move(inputs), history.slice, history.unit, 0, std::move(items), history.count};
}

class World {
 public:
  World(const History &history, std::vector<std::string> *said)
      : history_(history),
        said_(said),
        manifest_(manifest_of(history)),
        oracle_(manifest_, history.attempts, history.max_temporary, history.splittable),
        store_(system_, oracle_, manifest_, entry_.build.state_version, findings_),
        between_(system_, oracle_, store_, findings_, [this](const std::string &what) { tell(what); }),
        claims_(oracle_.places().size()) {
    findings_.tell = [this](const std::string &what) { tell(what); };
    system_.serve(between_);
    system_.set_latency(history.latency);
    entry_ = job();
    script();
  }

  std::string live() {
    boot();
    const TimePoint begin = system_.now();
    for (const Event &event : history_.events) {
      system_.run_for(std::max(begin + event.at - system_.now(), Duration{}));
      if (!findings_.first.empty()) break;
      happen(event);
    }
    if (findings_.first.empty()) finish();
    if (findings_.first.empty()) check_end();
    return findings_.first;
  }

 private:
  void tell(const std::string &what) const {
    if (said_ == nullptr) return;
    const auto at = std::chrono::duration<double, std::milli>(system_.time() - TimePoint(std::chrono::hours(1)));
    said_->push_back(fmt::format("{:9.1f} {}", at.count(), what));
  }

  PreparedEntry job() {
    PreparedEntry entry = service_entry(kJob, history_.count);
    entry.build.flags = history_.splittable ? 1 : 0;
    entry.build.has_merge = history_.has_merge;
    entry.build.library = library_of(entry.build.state_version);
    entry.config.input.kind = history_.kind;
    entry.config.output = "/out/j";
    entry.config.attempts = history_.attempts;
    entry.config.max_temporary = history_.max_temporary;
    entry.config.max_failed.count = history_.max_failed;
    entry.config.max_skipped.count = history_.max_skipped;
    entry.config.max_bisect = 0;
    if (history_.watchdog) entry.config.watchdog = seconds(5);
    if (history_.time_limit) entry.config.time_limit = seconds(10);
    entry.manifest = manifest_;
    return entry;
  }

  void script() {
    Claiming claiming;
    claiming.each = history_.each;
    claiming.units = history_.units;
    claiming.manner = history_.manner;
    claiming.deed = [this](const FakeWorker &worker, Interval positions) { return deed(worker, positions); };
    claiming.leave = [this](const Lease &lease, Interval since, SliceEnded &ended) { leave(lease, since, ended); };
    claiming.checkpoint_every = history_.checkpoints;
    claiming.leave_segment = [this](const Lease &lease, Interval since, SegmentEnded &ended) {
      count(since, ended.counters, ended.skipped);
      if (!leaves_files(ended.begin)) return;
      ended.attempt_dir = folder(lease, ended.begin);
      ended.files = {{"part", ended.position}};
    };
    system_.script(kJob, claiming_script(claiming));
  }

  Deed deed(const FakeWorker &worker, Interval positions) {
    between_.own(worker, positions);
    for (std::int64_t p = positions.begin; p < positions.end; ++p) ++claims_[static_cast<std::size_t>(p)];
    for (Hitch &trouble : history_.troubles)
      if (trouble.times > 0 && trouble.position >= positions.begin && trouble.position < positions.end) {
        if (trouble.times != kAlways) --trouble.times;
        return trouble.deed;
      }
    return Deed::GoOn;
  }

  // All that positions leave but their result: what they are counted as, and those that are put aside.
  void count(Interval positions, std::map<std::string, std::int64_t> &counters, std::vector<Aside> &aside) const {
    for (std::int64_t p = positions.begin; p < positions.end; ++p) {
      counters["sum"] += p + 1;
      if (!is_skipped(p)) continue;
      const SliceSpan slice = manifest_.slice_at(p);
      const std::int64_t local = slice.begin + p - slice.global.begin;
      aside.push_back({local, local + 1, "", "bad"});
    }
  }
  // Only where positions are records of their own.
  [[nodiscard]] bool is_skipped(std::int64_t position) const {
    const bool single = history_.kind == InputKind::Range || history_.kind == InputKind::Items;
    return single && history_.skips > 0 && position % history_.skips == 0 && position < oracle_.merge();
  }
  // Of an attempt that goes on that of the one before.
  [[nodiscard]] std::string folder(const Lease &lease, std::int64_t begin) const {
    if (lease.saved && !lease.saved->attempt_dir.empty()) return lease.saved->attempt_dir;
    const SliceSpan slice = manifest_.slice_from(begin);
    return "/out/j/.attempts/" + attempt_folder(slice.input, slice.begin, false, lease.id);
  }

  void leave(const Lease &lease, Interval since, SliceEnded &ended) const {
    const bool merge = ended.slice.begin == oracle_.merge();
    ended.has_result = true;
    ended.result = fmt::format("{}-{}", ended.slice.begin, ended.slice.end);
    if (merge)
      ended.counters["merges"] = 1;
    else
      count(since, ended.counters, ended.skipped);
    if (!leaves_files(ended.slice.begin)) return;
    ended.attempt_dir =
        merge ? "/out/j/.attempts/" + attempt_folder(0, 0, true, lease.id) : folder(lease, ended.slice.begin);
    ended.files = {"part"};
  }
  [[nodiscard]] bool leaves_files(std::int64_t begin) const {
    return history_.files > 0 && begin % history_.files == 0;
  }

  // A host starts on what the ledger has.
  void boot() {
    supervisor_ = std::make_unique<Supervisor>(
        between_, store_,
        [this](LogLevel, const std::string &line) {
          tell(line);
          if (line.find("broke the protocol") != std::string::npos) findings_.add(line);
        },
        store_.inner().open(), store_.inner().halted());
    between_.serve(*supervisor_);
    between_.halted = store_.inner().halted().contains(kJob);
    apply({});
  }
  void apply(const ReloadOptions &options) {
    Prepared prepared;
    prepared.entries = {entry_};
    if (auto applied = supervisor_->apply(std::move(prepared), options); !applied)
      return findings_.add("the reload is rejected: " + applied.error().text());
    if (!options.fresh.empty() || !options.resume.empty()) between_.halted = false;
  }
  void host_is_gone() {
    store_.lose();
    for (FakeWorker *worker : system_.alive(kJob)) worker->gone = true;
    system_.set_alarm(std::nullopt);
    supervisor_.reset();
    between_.owners.clear();
    oracle_.restore(store_.durable().empty() ? std::vector<Place>(oracle_.places().size()) : store_.durable());
    boot();
  }
  void stop_host(bool at_once) {
    bool stopped = false;
    if (at_once)
      supervisor_->stop_at_once([&] { stopped = true; });
    else
      supervisor_->stop([&] { stopped = true; });
    for (int i = 0; i < 600 && !stopped; ++i) system_.run_for(milliseconds(100));
    if (!stopped) findings_.add("the host does not stop");
    if (!system_.alive(kJob).empty()) findings_.add("the host has ended, and a worker lives");
    host_is_gone();
  }

  bool say(OperatorVerb verb, std::int32_t count = 0) {
    OperatorCommand command;
    command.verb = verb;
    command.names = {kJob};
    command.count = count;
    return supervisor_->command(command).has_value();
  }
  // What it changes of the places is expected in the very transaction that it asks for.
  void retry() {
    const std::vector<Place> before = oracle_.places();
    oracle_.retry();
    const auto jobs = store_.inner().load();  // none yet, while its creation is on the way
    const bool has_ended = !jobs.empty() && jobs[0].state != JobState::Running;
    if (!(has_ended ? lift(OperatorVerb::Retry) : say(OperatorVerb::Retry))) oracle_.set(before);
  }

  void kill(const Event &event, int signal) {
    const auto alive = system_.alive(kJob);
    if (alive.empty()) return;
    system_.exited(*alive[static_cast<std::size_t>(event.number) % alive.size()], {true, signal, false});
  }

  void happen(const Event &event) {
    tell("--- " + words(event));
    switch (event.what) {
      case Happening::WorkerKilled: return kill(event, SIGKILL);
      case Happening::WorkerCrashed: return kill(event, SIGSEGV);
      case Happening::HostKilled: return host_is_gone();
      case Happening::HostStopped: return stop_host(false);
      case Happening::HostStoppedAtOnce: return stop_host(true);
      case Happening::Stop:
      case Happening::Pause: return halt(event.what == Happening::Stop ? OperatorVerb::Stop : OperatorVerb::Pause);
      case Happening::Start:
      case Happening::Resume: lift(event.what == Happening::Start ? OperatorVerb::Start : OperatorVerb::Resume); return;
      case Happening::Restart: say(OperatorVerb::Restart); return;
      case Happening::Cancel: lift(OperatorVerb::Cancel); return;
      case Happening::Retry: return retry();
      case Happening::Scale: say(OperatorVerb::Scale, event.number); return;
      case Happening::ReloadState: entry_.build.library = library_of(++entry_.build.state_version); [[fallthrough]];
      case Happening::Reload: entry_.build.hash = fmt::format("b{}", ++builds_); [[fallthrough]];
      case Happening::ReloadCount: entry_.config.count = event.number; return apply({});
      case Happening::GoOnAnew: return apply({{}, {kJob}});
      case Happening::FromZero: return apply({{kJob}, {}});
      case Happening::DiskFull: return store_.fill_disk(milliseconds(100) * event.number);
      case Happening::ForksFail: return system_.fail_spawns(event.number, "Cannot allocate memory");
    }
  }
  void halt(OperatorVerb verb) {
    if (say(verb)) between_.halted = true;
  }
  // Before it is said: what follows from it may come at once.
  bool lift(OperatorVerb verb) {
    const bool was = std::exchange(between_.halted, false);
    if (say(verb)) return true;
    between_.halted = was;
    return false;
  }

  [[nodiscard]] EntryStatus status() const {
    for (EntryStatus &entry : supervisor_->status().entries)
      if (entry.name == kJob) return std::move(entry);
    return {};
  }
  [[nodiscard]] bool has_ended() const {
    const auto *job = store_.inner().find(kJob);
    return job != nullptr && job->state != JobState::Running && supervisor_->jobs_ended();
  }

  // Nobody disturbs it any more, and whoever has stopped it starts it.
  void finish() {
    system_.fail_spawns(0, "");
    for (int i = 0; i < 400 && findings_.first.empty(); ++i) {
      system_.run_for(seconds(1));
      if (between_.halted && lift(OperatorVerb::Start)) continue;
      if (has_ended()) return;
      if (status().state == "failed" && i % 8 == 7) lift(OperatorVerb::Start);
    }
    const EntryStatus entry = status();
    findings_.add(fmt::format("the job does not end: {} {}", entry.state, entry.reason));
  }

  void check_end() {
    const StoredJob &job = store_.inner().job(kJob);
    if (!system_.alive(kJob).empty()) findings_.add("the job has ended, and a worker lives");
    if (oracle_.places() != store_.durable()) findings_.add("the job has ended, and something of it is not durable");
    check_verdict(job);
    check_left(job);
    check_work();
  }

  void check_verdict(const StoredJob &job) {
    if (job.state == JobState::Cancelled) return;
    const auto has = [this](Fate fate) {
      return std::any_of(oracle_.places().begin(), oracle_.places().end() - 1,
                         [&](const Place &place) { return place.fate == fate; });
    };
    if (has(Fate::Open)) findings_.add("the job has ended, and something of it is open");
    const Fate merge = oracle_.places().back().fate;
    const bool too_many = store_.slices_given_up() > history_.max_failed;
    const auto aside = std::ssize(store_.inner().asides(kJob)) + store_.records_isolated();
    const bool too_many_aside = aside > history_.max_skipped;
    JobState wanted = has(Fate::GivenUp) || aside > 0 ? JobState::Partial : JobState::Succeeded;
    if (too_many || too_many_aside || merge == Fate::GivenUp) wanted = JobState::Failed;
    if (job.state != wanted) findings_.add(fmt::format("the verdict is {}, not {}", name(job.state), name(wanted)));
    if (!too_many && !too_many_aside && history_.has_merge && merge == Fate::Open)
      findings_.add("merge() was never done");
  }

  // Results, files and counters are those of the positions that are done.
  void check_left(const StoredJob &job) {
    std::vector<bool> told(oracle_.places().size());
    std::map<std::string, std::int64_t> counters;
    for (const auto &[begin, result] : store_.left().results) {
      if (result.text != fmt::format("{}-{}", begin, result.end))
        findings_.add(fmt::format("the result of [{}, {}) is that of {}", begin, result.end, result.text));
      if (result.files != leaves_files(begin))
        findings_.add(fmt::format("the files of {} are not as they should be", begin));
      for (std::int64_t p = begin; p < result.end; ++p) {
        if (told[static_cast<std::size_t>(p)]) findings_.add(fmt::format("position {} has two results", p));
        told[static_cast<std::size_t>(p)] = true;
        if (p == oracle_.merge()) counters["merges"] = 1;
      }
    }
    check_positions(counters);
    for (std::size_t p = 0; p < told.size(); ++p)
      if (told[p] != (oracle_.places()[p].fate == Fate::Done))
        findings_.add(
            fmt::format("position {} is {} and has {} result", p, told[p] ? "not done" : "done", told[p] ? "a" : "no"));
    auto counted = job.counters;
    std::erase_if(counted, [](const auto &counter) { return counter.second == 0; });
    if (counted != counters) findings_.add("the counters are not those of what is done");
    if (status().counters != job.counters) findings_.add("the host and the ledger have different counters");
  }

  // Adds what positions count as: of those that are done, or committed by a segment.
  void check_positions(std::map<std::string, std::int64_t> &counters) {
    std::int64_t aside = 0;
    for (std::int64_t p = 0; p < oracle_.merge(); ++p) {
      const Place &place = oracle_.places()[static_cast<std::size_t>(p)];
      if (place.fate != Fate::Done && !place.saved) continue;
      counters["sum"] += p + 1;
      if (is_skipped(p)) ++aside;
    }
    if (std::ssize(store_.inner().asides(kJob)) != aside)
      findings_.add(fmt::format("{} positions are put aside, not {}", store_.inner().asides(kJob).size(), aside));
  }

  // Where nothing breaks, nothing is done twice, whatever people ask for.
  void check_work() {
    const bool peaceful = history_.troubles.empty() && std::ranges::all_of(history_.events, [](const Event &event) {
                            switch (event.what) {
                              case Happening::WorkerKilled:
                              case Happening::WorkerCrashed:
                              case Happening::HostKilled:
                              case Happening::HostStoppedAtOnce:
                              case Happening::Cancel:
                              case Happening::FromZero:
                              case Happening::GoOnAnew:  // merge() is made anew
                              case Happening::DiskFull: return false;
                              case Happening::HostStopped:
                              case Happening::Stop:
                              case Happening::Start:
                              case Happening::Restart:
                              case Happening::Pause:
                              case Happening::Resume:
                              case Happening::Retry:
                              case Happening::Scale:
                              case Happening::Reload:
                              case Happening::ReloadCount:
                              case Happening::ForksFail: return true;
                              case Happening::ReloadState: return false;
                            }
                            return false;
                          });
    if (!peaceful) return;
    for (std::int64_t p = 0; p < oracle_.merge(); ++p)
      if (const int times = claims_[static_cast<std::size_t>(p)]; times > 1 || (times == 0 && !is_empty_file(p)))
        findings_.add(fmt::format("position {} was worked on {} times", p, claims_[static_cast<std::size_t>(p)]));
  }

  [[nodiscard]] bool is_empty_file(std::int64_t position) const {
    const SliceSpan slice = manifest_.slice_at(position);
    return slice.begin == slice.end;
  }

  History history_;  // its troubles are used up
  std::vector<std::string> *said_;
  Manifest manifest_;
  Findings findings_;
  FakeSystem system_;
  Oracle oracle_;
  PreparedEntry entry_;
  WatchedStore store_;
  Between between_;
  std::vector<int> claims_;
  int builds_ = 1;
  std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace

std::string live(const History &history, std::vector<std::string> *said) {
  return World(history, said).live();
}

namespace {

// Another finding would lead elsewhere.
bool is_alike(const std::string &a, const std::string &b) {
  const auto words = [](const std::string &text) { return text.substr(0, text.find_first_of("0123456789[")); };
  return words(a) == words(b);
}

}  // namespace

Shrunk shrink(History history, std::string found) {
  for (bool smaller_yet = true; smaller_yet;) {
    smaller_yet = false;
    for (History &candidate : smaller(history)) {
      std::string what = live(candidate);
      if (what.empty() || !is_alike(what, found)) continue;
      history = std::move(candidate);
      found = std::move(what);
      smaller_yet = true;
      break;
    }
  }
  return {std::move(history), std::move(found)};
}

}  // namespace hostler
