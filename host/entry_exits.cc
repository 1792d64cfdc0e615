// What an entry makes of a worker that has left: how it is told, and when a new one is started in its place.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/exit_status.h"
#include "entry.h"

namespace hostler {

void Entry::on_crash(WorkerId worker, const Crash &crash) {
  if (Slot *slot = slot_of(worker)) slot->crash = std::make_unique<Crash>(crash);
}

Departure Entry::departure(const Slot &slot, const WaitStatus &status, const WorkerPart &page) const {
  Departure departure;
  if (slot.crash) {
    departure.crash_detail = slot.crash->detail;
    departure.crash_site = slot.crash->site;
  }
  departure.status = status;
  departure.service = !config().is_job();
  departure.page = page;
  departure.page_known = page.layout == kPageLayout;
  departure.stopping = slot.state == WorkerState::Stopping || slot.state == WorkerState::Killing;
  departure.killed_by_host = slot.killed_by_host;
  departure.at_once = at_once_;
  departure.overdue = slot.overdue;
  departure.broke_protocol = slot.broke_protocol;
  return departure;
}

void Entry::note_exit(Slot &slot, const Judgement &judgement, const Departure &departure) {
  const WaitStatus &status = departure.status;
  // An exit code has eight bits, what run() returned has more.
  const bool returned =
      departure.page_known && !status.signaled && static_cast<Stage>(departure.page.stage) == Stage::Returned;

  slot.last_exit.text = judgement.reason;
  slot.last_exit.verdict = told_name(judgement.verdict, status);
  slot.last_exit.code = status.signaled ? -1 : returned ? departure.page.returned : status.value;
  slot.last_exit.signal = status.signaled ? status.value : 0;
  slot.last_exit.core = status.core;
  const bool expected = judgement.verdict == Verdict::Done || judgement.verdict == Verdict::Interrupted;
  note_life(slot, !expected && judgement.verdict != Verdict::OutOfMemory);
  log(expected ? LogLevel::Info : LogLevel::Warning, fmt::format("{}: {}", slot_name(slot), judgement.reason));
  slot.crash_report.clear();
  slot.last_crash.reset();
  if (!slot.crash) return;
  slot.last_crash = slot.worker;
  around_.crashed({*slot.worker, name(), slot_name(slot), slot.build->library, slot.build->hash, judgement.reason,
                   *std::exchange(slot.crash, nullptr)});
}

void Entry::on_explained(const CrashCase &crash, const std::string &better, const Backtrace &backtrace) {
  const std::string words = with_site(crash.verdict, crash.crash.site, better);
  const auto explain = [&](std::string &text) {
    if (text.ends_with(crash.verdict)) text.replace(text.size() - crash.verdict.size(), crash.verdict.size(), words);
  };
  explain(failure_);
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&](const auto &slot) { return slot->last_crash == crash.worker; });
  if (found == slots_.end()) return;
  Slot &slot = **found;
  slot.crash_report = backtrace.file;
  explain(slot.last_exit.text);
  explain(slot.note);
}

void Entry::restart_by_policy(Slot &slot, const Judgement &judgement) {
  const TimePoint now = around_.system.now();
  const Duration ran_for = slot.running_since > slot.spawned_since ? now - slot.running_since : Duration{};
  RestartDecision decision;
  if (slot.desired == Desired::Up && slot.state != WorkerState::Stopping && slot.state != WorkerState::Killing)
    decision = judgement.verdict == Verdict::RetryLater || judgement.verdict == Verdict::Yield
                   ? slot.policy.put_off(config().restart, ran_for, around_.system.random())
                   : slot.policy.failed(config().restart, now, ran_for, around_.system.random());
  if (decision.give_up) {
    apply(slot, WorkerEvent::LeftFailed);
    slot.note = decision.reason + "; last: " + judgement.reason;
    log(LogLevel::Error, fmt::format("{}: {}", slot_name(slot), slot.note));
    return gave_up(slot);
  }
  restart_after(slot, decision.delay);
  if (slot.state != WorkerState::Backoff) return;
  slot.note = decision.reason;
  log(LogLevel::Info, fmt::format("{}: {}", slot_name(slot), decision.reason));
}

void Entry::restart_after(Slot &slot, Duration delay) {
  slot.delay = delay;
  if (slot.desired == Desired::Up) ++slot.restarts;
  apply(slot, WorkerEvent::LeftRestart);
}

void Entry::forget_worker(Slot &slot) {
  if (slot.worker) by_worker_.erase(*slot.worker);
  slot.worker.reset();
  slot.pid = 0;
}

}  // namespace hostler
