#include "entry.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "core/units.h"

namespace hostler {
namespace {

constexpr double kEarly = 0.1;
constexpr std::uint64_t kMostBeats = std::numeric_limits<std::int64_t>::max();  // a page may say anything

}  // namespace

Entry::Entry(Surroundings &around, PreparedEntry prepared)
    : around_(around), prepared_(std::move(prepared)), turn_(around.timers), watch_(around.timers) {}

// What has a worker goes on; all else begins like what is new, when what it depends on is up.
void Entry::start_by_hand() {
  if (wanted_ && !has_workers()) stop_by_hand();
  begin_anew();
  if (wanted_) start();
}

void Entry::begin_anew() {
  for (auto &slot : slots_) {
    slot->policy.reset();
    if (slot->desired != Desired::Up) continue;
    if (slot->state == WorkerState::Backoff) apply(*slot, WorkerEvent::Due);
    if (slot->state == WorkerState::Failed) apply(*slot, WorkerEvent::Wanted);
  }
}

void Entry::stop_by_hand() {
  failure_.clear();
  waiting_.clear();
  stop();
}

void Entry::restart_by_hand() {
  for (auto &slot : slots_)
    if (is_alive(slot->state) && slot->desired == Desired::Up) replace_worker(*slot);
  start_by_hand();
}

void Entry::scale(std::int32_t count) {
  scaled_ = count == config().count ? std::nullopt : std::optional(count);
}

void Entry::stop() {
  wanted_ = false;
  patient_ = false;
  for (auto &slot : slots_) set_desired(*slot, Desired::Down);
}

void Entry::pause() {
  stop();
  patient_ = true;
  for (auto &slot : slots_) {
    if (!is_draining(*slot) || !has_work(*slot)) continue;
    slot->timer.cancel();
    watch_drain(*slot);
  }
}

void Entry::call_off() {
  for (auto &slot : slots_) {
    if (is_draining(*slot)) cancel(*slot);
    set_desired(*slot, Desired::Down);
  }
}

bool Entry::is_draining(const Slot &slot) const {
  return slot.state == WorkerState::Stopping && slot.pid != 0 && !slot.cancelled && slot.overdue.empty();
}

void Entry::set_waiting(std::string words) {
  if (std::exchange(blocked_, false)) {
    failure_.clear();
    failure_changed();
  }
  waiting_ = std::move(words);
}

void Entry::set_blocked(const std::string &reason) {
  waiting_.clear();
  if (failure_ != reason) fail_entry(reason);
  blocked_ = true;
}

void Entry::kill() {
  at_once_ = true;
  stop();
  for (auto &slot : slots_) apply(*slot, WorkerEvent::OutOfGrace);
}

void Entry::update(PreparedEntry prepared, bool replace) {
  if (prepared.config.count != config().count) scaled_.reset();
  prepared_ = std::move(prepared);
  look_at_all();
  if (!replace || !wanted_) return;
  failure_.clear();
  for (auto &slot : slots_) {
    slot->policy.reset();
    if (slot->desired == Desired::Up) replace_worker(*slot);
  }
}

void Entry::replace_worker(Slot &slot) {
  apply(slot, WorkerEvent::Replaced);
  press(slot);
}

void Entry::set_desired(Slot &slot, Desired desired) {
  slot.desired = desired;
  apply(slot, desired == Desired::Up ? WorkerEvent::Wanted : WorkerEvent::Unwanted);
  if (desired == Desired::Down) press(slot);
}

void Entry::apply(Slot &slot, WorkerEvent event) {
  const WorkerStep step = next(slot.state, slot.desired, event);
  if (step.state == slot.state && step.action == WorkerAction::None) return;
  set_state(slot, step.state);
  switch (step.action) {
    case WorkerAction::None: break;
    case WorkerAction::Spawn: spawn(slot); break;
    case WorkerAction::Stop: begin_stop(slot); break;
    case WorkerAction::Kill: kill_worker(slot); break;
    case WorkerAction::StartDelay:
      slot.timer.set(around_.system.now() + slot.delay, [this, &slot] { due(slot); });
      break;
  }
}

void Entry::set_state(Slot &slot, WorkerState state) {
  slot.timer.cancel();
  end_loading(slot);
  end_turn(slot);
  slot.state = state;
  if (state == WorkerState::Running) slot.running_since = around_.system.now();
  if (state != WorkerState::Backoff && state != WorkerState::Failed)
    std::string().swap(slot.note);  // its room too: thousands have waited once
  around_.changed();
}

void Entry::spawn(Slot &slot) {
  slot.worker = around_.enroll(*this);
  by_worker_[*slot.worker] = &slot;
  slot.pid = 0;
  if (spawned_build_ == nullptr || *spawned_build_ != prepared_.build)
    spawned_build_ = std::make_shared<const Build>(prepared_.build);
  slot.build = spawned_build_;
  slot.cancelled = slot.killed_by_host = slot.broke_protocol = slot.leaving = slot.ready = slot.told_deadline = false;
  slot.deadline_slice = -1;
  slot.overdue.clear();
  slot.crash.reset();
  slot.spawned_since = slot.weighed = around_.system.now();
  slot.slices_given = 0;
  slot.spent.clear();
  if (config().recycle != RecycleConfig{}) slot.early = around_.system.random() * kEarly;
  around_.system.spawn(*slot.worker, {name(), slot.instance, count_});
}

void Entry::begin_stop(Slot &slot) {
  if (slot.pid == 0) return;  // on_spawned() will see the state
  if (!slot.overdue.empty()) return apply(slot, WorkerEvent::OutOfGrace);
  if (!drains()) return cancel(slot);
  around_.system.stop(*slot.worker, StopWord::Drain, 0);
  around_.system.dismiss(*slot.worker);
  if ((patient_ && has_work(slot)) || slot.told_deadline) return watch_drain(slot);
  limit_drain(slot);
}

// One that a pause has left all its time, which the pause's end does not take from it, has a limit again.
void Entry::press(Slot &slot) {
  if (!patient_ && is_draining(slot) && !slot.timer.is_set()) limit_drain(slot);
}

// A pause leaves a slice all its time, but not more than its limits do.
void Entry::watch_drain(Slot &slot) {
  if (slot.told_deadline) return await_deadline(slot, config().stop.grace, slot.deadline_slice);
  keep_watch(slot);
}

void Entry::limit_drain(Slot &slot) {
  slot.timer.set(around_.system.now() + config().stop.drain, [this, &slot] { cancel(slot); });
}

void Entry::cancel(Slot &slot) {
  slot.cancelled = true;
  around_.system.stop(*slot.worker, StopWord::Cancel, config().stop.signal);
  // One that hears the signal in its slice goes on to ask for the next.
  if (config().is_job()) around_.system.dismiss(*slot.worker);
  slot.timer.set(around_.system.now() + config().stop.grace, [this, &slot] { apply(slot, WorkerEvent::OutOfGrace); });
}

void Entry::kill_worker(Slot &slot) {
  slot.killed_by_host = true;
  if (slot.pid == 0) return;
  if (slot.overdue.empty() && !at_once_)
    log(LogLevel::Warning, fmt::format("{}: did not leave within its grace period of {}: killed", slot_name(slot),
                                       format_duration(config().stop.grace)));
  around_.system.kill(*slot.worker);
}

void Entry::on_spawned(WorkerId worker, int pid) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  slot->pid = pid;
  if (slot->state != WorkerState::Starting) {  // unwanted meanwhile; it has not been let go
    slot->killed_by_host = true;
    around_.system.kill(worker);
    return;
  }
  Start start;
  start.name = name();
  start.instance = slot->instance;
  start.count = count_;
  start.library = prepared_.build.library;
  start.plugin = config().plugin.substr(config().plugin.rfind('/') + 1);
  start.cwd = config().cwd;
  start.umask = around_.umask;
  start.env = config().env;
  start.params = config().params;
  start.stop_signal = config().stop.signal;
  start.limits = config().limits;
  start.user = config().user;
  if (start.user)
    for (const auto &[key, value] :
         {std::pair("HOME", start.user->home), {"USER", start.user->name}, {"LOGNAME", start.user->name}})
      start.env.emplace(key, value);
  fill_start(start);
  around_.system.start(worker, start);
  begin_watch(*slot);
}

void Entry::on_spawn_failed(WorkerId worker, const Error &error) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  const Judgement judgement{Verdict::LoadLater, "could not be started: " + error.text()};
  note_exit(*slot, judgement, {});
  slot->last_exit.code = -1;
  forget_worker(*slot);
  restart_by_policy(*slot, judgement);
}

void Entry::on_garbage(WorkerId worker, const Error &error) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  slot->broke_protocol = true;
  log(LogLevel::Error, fmt::format("{}: broke the protocol and was killed: {}", slot_name(*slot), error.text()));
}

void Entry::entered_run(Slot &slot) {
  apply(slot, WorkerEvent::EnteredRun);
  if (slot.state == WorkerState::Running) watch_anew(slot);
}

void Entry::resize(std::int32_t count) {
  const bool changed = count_ != count;
  count_ = count;
  for (std::size_t i = slots_.size(); i < static_cast<std::size_t>(count); ++i)
    slots_.push_back(std::make_unique<Slot>(around_.timers, static_cast<std::int32_t>(i)));
  for (auto &slot : slots_)
    if (changed && slot->pid != 0) around_.system.set_count(*slot->worker, count);
  for (std::size_t i = slots_.size(); i > static_cast<std::size_t>(count); --i)
    set_desired(*slots_[i - 1], Desired::Down);
  drop_surplus();
}

void Entry::drop_surplus() {
  while (slots_.size() > static_cast<std::size_t>(count_) && !slots_.back()->worker) slots_.pop_back();
}

void Entry::fail_entry(const std::string &reason) {
  if (failure_.empty()) log(LogLevel::Error, fmt::format("{}: stopped: {}", name(), reason));
  failure_ = reason;
  blocked_ = false;
  for (auto &slot : slots_) {
    set_desired(*slot, Desired::Down);
    std::string().swap(slot->note);
  }
  failure_changed();
  around_.changed();
}

Entry::Slot *Entry::slot_of(WorkerId worker) const {
  const auto found = by_worker_.find(worker);
  return found == by_worker_.end() ? nullptr : found->second;
}

std::string Entry::slot_name(const Slot &slot) const {
  return slot.pid == 0 ? fmt::format("{}/{}", name(), slot.instance)
                       : fmt::format("{}/{}[{}]", name(), slot.instance, slot.pid);
}

bool Entry::is_quiet() const {
  return by_worker_.empty();
}

bool Entry::is_calm() const {
  return std::none_of(slots_.begin(), slots_.end(),
                      [](const auto &slot) { return is_alive(slot->state) && slot->state != WorkerState::Running; });
}

bool Entry::is_draining() const {
  return std::ranges::any_of(slots_, [this](const auto &slot) { return is_draining(*slot); });
}

std::string Entry::live_state() const {
  if (!failure_.empty()) return "failed";
  if (!waiting_.empty()) return "waiting";
  const auto count = [&](WorkerState state) {
    return std::count_if(slots_.begin(), slots_.end(), [&](const auto &slot) { return slot->state == state; });
  };
  // The most telling first.
  for (const WorkerState state :
       {WorkerState::Failed, WorkerState::Killing, WorkerState::Stopping, WorkerState::Backoff, WorkerState::Starting,
        WorkerState::Running, WorkerState::Finished})
    if (count(state) != 0) return std::string(hostler::name(state));
  return wanted_ ? "starting" : "stopped";  // a job whose ledger does not know it yet has no workers
}

EntryStatus Entry::status() const {
  EntryStatus status;
  status.name = name();
  status.kind = config().is_job() ? "job" : "service";
  status.state = live_state();
  status.reason = !failure_.empty() ? failure_ : waiting_;
  status.plugin = config().plugin.substr(config().plugin.rfind('/') + 1);
  status.plugin_id = build().id;
  status.version = build().version;
  status.build = build().hash.substr(0, 12);
  status.held = held_;
  status.resumable = resumable_ && !held_.empty();
  status.count = count();
  if (status.reason.empty() && scaled_)
    status.reason = fmt::format("scaled to {}, the file says {}", *scaled_, config().count);
  status.workers.reserve(slots_.size());
  for (const auto &slot : slots_) {
    if (status.reason.empty() && slot->state == WorkerState::Failed)
      status.reason = fmt::format("{}/{}: {}", name(), slot->instance, slot->note);
    WorkerStatus worker;
    worker.instance = slot->instance;
    worker.state = hostler::name(slot->state);
    worker.pid = slot->pid;
    if (slot->worker) worker.build = slot->build->hash.substr(0, 12);
    if (slot->state == WorkerState::Running)
      worker.up_seconds = std::chrono::duration<double>(around_.system.now() - slot->running_since).count();
    worker.restarts = slot->restarts;
    worker.last_exit = slot->last_exit;
    worker.crash_report = slot->crash_report;
    worker.note = slot->note;
    worker.ready = slot->ready;
    if (slot->worker && slot->pid != 0) {
      const WorkerPart page = around_.system.page(*slot->worker);
      worker.beats = static_cast<std::int64_t>(std::min<std::uint64_t>(page.beats, kMostBeats));
      worker.progress = progress_of(page);
    }
    if (slot->worker && slot->build->hash != build().hash) status.newer_build = true;
    status.workers.push_back(std::move(worker));
  }
  return status;
}

}  // namespace hostler
