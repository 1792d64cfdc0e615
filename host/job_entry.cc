#include "job_entry.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/job_report.h"
#include "core/on_exit.h"
#include "core/progress_text.h"

namespace hostler {
namespace {

// How much of a slice in work is behind it: by its claims or, if it makes none, by what it says of itself.
std::int64_t positions_of(const SliceSpan &span, const WorkerPart &page) {
  const std::int64_t whole = span.end - span.begin;
  const bool claims = page.claimed_to > page.claimed_from || page.claimed_from != span.begin;
  const WorkerProgress told = progress_of(page);
  if (claims || told.total == 0) return std::clamp<std::int64_t>(page.claimed_from - span.begin, 0, whole);
  const double share = static_cast<double>(told.done) / static_cast<double>(told.total);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(static_cast<double>(whole) * share), 0, whole);
}

}  // namespace

JobEntry::JobEntry(Surroundings &around, PreparedEntry prepared, StoredJob stored, std::optional<StoreStep> create,
                   std::uint64_t first_lease)
    : Entry(around, std::move(prepared)),
      stored_(std::move(stored)),
      create_(std::move(create)),
      job_(settings(), stored_.manifest, stored_.rows, first_lease, stored_.skipped),
      due_(around.timers),
      again_(around.timers),
      share_(around.timers) {
  stored_.rows.clear();  // job_ has them
  for (const DiedIn &death : std::exchange(stored_.died_in, {})) {
    note_died_with_host(death);
    job_.host_died_in(death);
  }
  // Also of a job that is not to run now.
  for (MoveFiles &move : std::exchange(stored_.to_place, {})) {
    const Interval slice = move.slice;
    commit_moves(slice, {std::move(move)});
  }
}

JobSettings JobEntry::settings() const {
  JobSettings settings;
  settings.attempts = config().attempts;
  settings.max_temporary = config().max_temporary;
  settings.max_failed = config().max_failed;
  settings.backoff = config().restart;
  settings.has_merge = build().has_merge;
  settings.max_skipped = config().max_skipped;
  settings.max_bisect = config().max_bisect;
  settings.state_version = build().state_version;
  return settings;
}

void JobEntry::start() {
  wanted_ = true;
  patient_ = false;
  judge_build_anew();
  failure_.clear();
  waiting_.clear();
  if (!stored_.problem.empty()) return fail_entry(stored_.problem);
  failure_changed();
  if (stored_.state != JobState::Running) return around_.changed();
  job_.end_backoff();
  resize(count());
  create();
  if (!create_) commit_changes();  // how the last host died, when slices of this job ran
  want_workers();
}

// The ledger must know the job before anything of it is handed out.
void JobEntry::create() {
  if (!create_ || creating_) return;
  creating_ = true;
  StoreBatch batch;
  batch.push_back(*create_);
  commit(std::move(batch), [this] {
    create_.reset();
    creating_ = false;
    want_workers();
  });
}

void JobEntry::keep_plan() {
  if (create_ && std::holds_alternative<ReplanJob>(*create_)) create();
}

void JobEntry::update(PreparedEntry prepared, bool replace) {
  const std::string failure = failure_;
  Entry::update(std::move(prepared), replace);
  if (out_of_step_) failure_ = failure;
  failure_changed();
  if (code_or_data_.build() != build().hash) judge_build_anew();
  job_.set_settings(settings());
  if (!wanted_ || stored_.state != JobState::Running) return;
  resize(count());
  want_workers();
  check_end();
}

// The verdict of an ended job stands; fail_entry() may have been for something that passes.
std::string JobEntry::cannot_start() const {
  if (stored_.state != JobState::Running)
    return fmt::format(
        "has ended: {0}; --fresh {1} starts it from zero{2}", hostler::name(stored_.state), name(),
        stored_.state == JobState::Succeeded || (stored_.state == JobState::Partial && !has_undone(job_.progress()))
            ? ""
            : ", --resume " + name() + " tries again what is not done");
  if (out_of_step_) return failure_ + "; only a new start of the host knows where it stands";
  return stored_.problem;
}

void JobEntry::stop_by_hand() {
  const std::string failure = failure_;
  Entry::stop_by_hand();
  if (out_of_step_) failure_ = failure;
  failure_changed();
}

void JobEntry::scale(std::int32_t count) {
  Entry::scale(count);
  if (!wanted_ || stored_.state != JobState::Running) return;
  resize(count);
  want_workers();
}

bool JobEntry::has_work(const Slot &slot) const {
  const auto held = slot.worker ? held_leases_.find(*slot.worker) : held_leases_.end();
  return held != held_leases_.end() &&
         std::any_of(held->second.begin(), held->second.end(), [](const Held &each) { return each.sent; });
}

// As many workers as there are slices that have not ended, at most count. More than enough are kept: they wait.
void JobEntry::want_workers() {
  if (!wanted_ || create_ || !failure_.empty() || stored_.state != JobState::Running) return;
  if (job_.state() != JobState::Running) return check_end();
  raise_workers();
  feed();
}

void JobEntry::raise_workers() {
  const std::int64_t wanted = std::min<std::int64_t>(count(), job_.open_slices() + helpers_);
  for (std::int64_t i = 0; i < wanted; ++i)
    if (slots_[static_cast<std::size_t>(i)]->desired == Desired::Down)
      set_desired(*slots_[static_cast<std::size_t>(i)], Desired::Up);
}

void JobEntry::fill_start(Start &start) const {
  start.job = true;
  start.job_id = stored_.id;
  start.params = stored_.identity.params;
  start.attempts_dir = stored_.identity.output + "/.attempts";
  start.codes = counted_codes(config().on_exit);
  start.may_split = may_split();
}

// Others may still do the work; when there is nobody left it would never end.
void JobEntry::gave_up(Slot &slot) {
  const bool anybody = std::any_of(slots_.begin(), slots_.end(), [](const auto &each) {
    return each->desired == Desired::Up && each->state != WorkerState::Failed;
  });
  if (!anybody) fail_entry(slot.note);
}

// Everybody who has nothing to do.
void JobEntry::feed() {
  for (auto &slot : slots_)
    if (slot->state == WorkerState::Running && held_leases_[*slot->worker].empty()) hand_out(*slot);
  wait_for_due();
  ask_for_shares();
}

// What is due already waits for whoever is free next, not for a moment.
void JobEntry::wait_for_due() {
  due_.cancel();
  if (const auto due = job_.next_due(); due && *due > around_.system.now()) due_.set(*due, [this] { want_workers(); });
}

// Keeps a worker supplied: one lease in work, and while there is plenty the next one already with it.
void JobEntry::hand_out(Slot &slot) {
  if (slot.state != WorkerState::Running || slot.leaving || slot.told_deadline || !failure_.empty() || !wanted_) return;
  if (job_.state() != JobState::Running) return;
  auto &held = held_leases_[*slot.worker];
  if (config().recycle != RecycleConfig{} && job_.has_due(around_.system.now()))
    if (!why_spent(slot).empty()) return held.empty() ? recycle(slot) : void();
  if (held.empty() && !hand_out_one(slot) && !hand_out_alone(slot)) {
    wait_for_due();
    return ask_for_shares();
  }
  if (held.size() == 1 && slice_quota(slot) > 0 && job_.ready_slices() > 4 * static_cast<std::int64_t>(slots_.size()))
    hand_out_one(slot);
}

bool JobEntry::hand_out_one(Slot &slot) {
  const WorkerId worker = *slot.worker;
  const TimePoint now = around_.system.now();
  if (!may_begin()) return false;
  auto lease = job_.lease(worker, now, std::min(lease_size_.next(job_.ready_slices(), count()), slice_quota(slot)));
  if (!lease) return false;
  hold(slot, std::move(*lease));
  return true;
}

// Durable first.
void JobEntry::hold(Slot &slot, Lease given) {
  const WorkerId worker = *slot.worker;
  const TimePoint now = around_.system.now();
  slot.slices_given += std::max<std::int64_t>(job_.manifest().slices_in({given.begin, given.end}), 1);
  const std::uint64_t id = given.id;
  const bool merge = given.begin == job_.manifest().positions();
  const bool saved = given.saved.has_value();
  quiet_until_.reset();
  held_leases_[worker].push_back({std::move(given), now, false});
  commit(take_changes(), [this, worker, id, merge, saved] {
    merge ? send_merge(worker, id) : saved ? send_saved(worker, id) : send(worker, id);
  });
}

// The lease is durable: the worker may have it, if it is still there and still wanted. If not, its exit returns the lease.
void JobEntry::send(WorkerId worker, std::uint64_t lease) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr || slot->state != WorkerState::Running) return;
  for (Held &held : held_leases_[worker]) {
    if (held.lease.id != lease || held.sent) continue;
    held.sent = true;
    held.since = held.sent_at = held.began = around_.system.now();
    around_.system.lease(worker, held.lease);
    if (held.lease.saved) held.lease.saved->data = {};  // up to 16 MiB
    watch_anew(*slot);
    ask_for_shares();
  }
}

void JobEntry::send_merge(WorkerId worker, std::uint64_t lease) {
  ++commits_;
  around_.store.write_merge_input(name(), [this, worker, lease](Result<std::string> path) {
    --commits_;
    around_.changed();
    if (!path) return fail_entry("what merge() is to read could not be written: " + path.error().text());
    for (Held &held : held_leases_[worker])
      if (held.lease.id == lease) held.lease.merge_input = *path;
    send(worker, lease);
    check_end();  // nobody may be left to run it, and the job may be over
  });
}

// Every slice has ended and nothing is under way: the verdict becomes durable, then the job has ended. Not one whose output
// is not what its verdict says of it: that job can go on when the file is back.
void JobEntry::check_end() {
  if (!is_ending()) return;
  for (auto &slot : slots_) set_desired(*slot, Desired::Down);
  if (ending_ || !is_quiet()) return;
  ending_ = true;
  ++commits_;
  around_.store.check_outputs(name(), [this](const Result<void> &there) {
    --commits_;
    around_.changed();
    if (there && is_ending()) return end();
    ending_ = false;
    if (!there) fail_entry(there.error().text());
  });
}

void JobEntry::end() {
  const JobState state = job_.state();
  const std::string reason = job_.state_reason();
  commit({SetJobState{name(), state, reason, 0}}, [this, state, reason] {
    stored_.state = state;
    stored_.reason = reason;
    log(state == JobState::Succeeded ? LogLevel::Info : LogLevel::Warning,
        fmt::format("{}: {}{}{}", name(), hostler::name(state), reason.empty() ? "" : ": ", reason));
  });
}

bool JobEntry::is_quiet() const {
  return Entry::is_quiet() && commits_ == 0 && unexplained_.empty();
}

bool JobEntry::has_ended() const {
  return is_quiet() && (stored_.state != JobState::Running || !failure_.empty());
}

StoredJob JobEntry::stored() const {
  StoredJob stored = stored_;
  stored.rows = job_.rows();
  stored.skipped = job_.progress().skipped;
  if (create_ || out_of_step_) stored.problem = failure_;  // the ledger refused that plan, or something later
  return stored;
}

std::int64_t JobEntry::positions_in_work() const {
  std::int64_t sum = 0;
  for (const auto &slot : slots_) {
    if (slot->pid == 0 || !slot->worker) continue;
    const WorkerPart page = around_.system.page(*slot->worker);
    const auto begun = slice_begun(*slot, page);
    if (!begun || *begun >= job_.manifest().positions()) continue;
    const std::int64_t end = held_at(*slot->worker, *begun)->lease.end;
    const SliceSpan span = job_.manifest().slice_at(*begun, {*begun, end});
    sum += positions_of(span, page);
  }
  return sum;
}

// Positions a second of late: halves what it remembers about every four seconds.
void JobEntry::sample_rate() {
  const TimePoint now = around_.system.now();
  const std::int64_t done = job_.positions_done();
  const double seconds = std::chrono::duration<double>(now - sampled_).count();
  if (sampled_ == TimePoint{}) {
    sampled_ = now;
    sampled_positions_ = done;
  } else if (seconds >= 0.5) {
    const double latest = static_cast<double>(done - sampled_positions_) / seconds;
    const double weight = std::min(1.0, seconds / 4);
    rate_ = rate_ == 0 ? latest : rate_ + weight * (latest - rate_);
    sampled_ = now;
    sampled_positions_ = done;
  }
}

EntryStatus JobEntry::status() const {
  EntryStatus status = Entry::status();
  if (failure_.empty() && stored_.state != JobState::Running) {
    status.state = hostler::name(stored_.state);
    status.reason = stored_.reason;
  }
  if (status.state == "starting" && is_ending()) status.state = "stopping";
  if (status.state == "starting" && job_.state() == JobState::Running && job_.open_slices() == 0) {
    status.state = "waiting";
    status.reason = "all that is left is done, and on its way to its place";
  }
  status.unit = unit_of(job_.manifest().kind());
  status.progress = job_.progress();
  if (stored_.state == JobState::Running) {
    const std::int64_t in_work = positions_in_work();
    status.progress.positions_done += in_work;
    status.rate = rate_;
    if (rate_ > 0)
      status.eta_seconds = static_cast<double>(status.progress.positions - status.progress.positions_done) / rate_;
  }
  if (!no_room_.empty() && wanted_ && failure_.empty() && job_.state() == JobState::Running) {
    status.state = "waiting";
    status.reason = no_room_;
    status.rate = 0;
    status.eta_seconds = -1;
  }
  status.output = stored_.identity.output;
  status.counters = stored_.counters;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot &slot = *slots_[i];
    if (slot.pid == 0) continue;
    const WorkerPart page = around_.system.page(*slot.worker);
    if (const auto begun = slice_begun(slot, page))
      status.workers[i].slice = name() + "." + job_.place(*begun);
    else
      status.workers[i].progress = {};  // of a slice that has ended
  }
  return status;
}

}  // namespace hostler
