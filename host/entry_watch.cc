// Who is overdue: a worker that takes too long to load, shows no sign of life, or is over its slice's time limit. One
// timer for the entry, and none while there is nothing to watch.
#include <csignal>

#include <fmt/format.h>

#include "core/units.h"
#include "entry.h"

namespace hostler {
namespace {

// From SIGABRT, which lets a report of the crash be made, to SIGKILL.
constexpr Duration kAbortGrace = std::chrono::seconds(2);

}  // namespace

// A slice that was told of its time limit is not told again; a watchdog goes on.
VigilLimits Entry::limits(const Slot &slot) const {
  return {config().watchdog, slot.told_deadline ? std::nullopt : config().time_limit, config().is_job()};
}

void Entry::begin_watch(Slot &slot) {
  slot.loading = true;
  ++loading_;
  slot.vigil.begin(around_.system.now());
  keep_watch(slot);
}

// An idle host has no timers: the one for the load time goes with the last that loads.
void Entry::end_loading(Slot &slot) {
  if (!slot.loading) return;
  slot.loading = false;
  --loading_;
  if (loading_ == 0 && !config().watchdog && !config().time_limit) watch_.cancel();
}

void Entry::watch_anew(Slot &slot) {
  slot.vigil.progressed(around_.system.now());
  keep_watch(slot);
}

// Whoever ends its slice before it stops, and has no time limit for that, may take its time, but not for ever.
bool Entry::is_watched_in_run(const Slot &slot) const {
  return slot.state == WorkerState::Running || (is_draining(slot) && !slot.timer.is_set() && has_work(slot));
}

// Brings the next look forward, if this slot asks for an earlier one.
void Entry::keep_watch(const Slot &slot) {
  const bool loaded = is_watched_in_run(slot);
  if (!slot.overdue.empty() || slot.pid == 0 || (!loaded && !slot.loading) || (loaded && !has_work(slot))) return;
  const auto at = slot.vigil.next_look(loaded, limits(slot), around_.system.now());
  if (!at || (watch_.is_set() && watch_at_ <= *at)) return;
  watch_at_ = *at;
  watch_.set(*at, [this] { look_at_all(); });
}

void Entry::look_at_all() {
  watch_.cancel();
  for (auto &slot : slots_) {
    look_at(*slot);
    keep_watch(*slot);
  }
}

void Entry::look_at(Slot &slot) {
  const bool loaded = is_watched_in_run(slot);
  if (!slot.overdue.empty() || slot.pid == 0 || (!loaded && !slot.loading)) return;
  const VigilLimits limits = this->limits(slot);
  if (loaded && !limits.watchdog && !limits.time_limit) return;
  const WorkerPart page = around_.system.page(*slot.worker);
  const auto overdue = slot.vigil.look(page, loaded, has_work(slot), limits, around_.system.now());
  if (!overdue) return;
  switch (overdue->kind) {
    case Overdue::Kind::Slice: return tell_deadline(slot, page.begun, overdue->reason);
    case Overdue::Kind::Hung: return end_overdue(slot, overdue->reason);
  }
}

void Entry::tell_deadline(Slot &slot, std::int64_t slice, const std::string &reason) {
  log(LogLevel::Warning, fmt::format("{}: {}: asked to stop", slot_name(slot), reason));
  slot.told_deadline = true;
  slot.deadline_slice = slice;
  slot.deadline = reason;
  around_.system.stop(*slot.worker, StopWord::Deadline, config().stop.signal);
  around_.system.dismiss(*slot.worker);
  await_deadline(slot, config().stop.grace, slice);
}

void Entry::await_deadline(Slot &slot, Duration time, std::int64_t slice) {
  slot.timer.set(around_.system.now() + time, [this, &slot, slice] { past_deadline(slot, slice); });
}

// Unless the slice has ended after all. What it began just then has all its time, as the last one of this worker.
void Entry::past_deadline(Slot &slot, std::int64_t slice) {
  const WorkerPart page = around_.system.page(*slot.worker);
  const auto stage = static_cast<Stage>(page.stage);
  if (stage == Stage::Checkpointing) return await_deadline(slot, config().stop.grace, slice);
  if (stage != Stage::Running && stage != Stage::Returned) return press(slot);
  if (page.begun == slice) return end_overdue(slot, slot.deadline + ", and did not stop when asked to");
  await_deadline(slot, config().time_limit.value_or(Duration{}) + config().stop.grace, page.begun);
}

void Entry::end_overdue(Slot &slot, const std::string &reason) {
  slot.overdue = reason;
  log(LogLevel::Error, fmt::format("{}: {}: aborted", slot_name(slot), reason));
  around_.system.stop(*slot.worker, StopWord::Deadline, SIGABRT);
  slot.timer.set(around_.system.now() + kAbortGrace, [this, &slot] {
    slot.killed_by_host = true;
    around_.system.kill(*slot.worker);
  });
}

}  // namespace hostler
