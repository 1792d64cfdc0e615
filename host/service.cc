#include "service.h"

#include <algorithm>
#include <utility>

namespace hostler {
namespace {

constexpr Duration kBetweenMemoryLooks = std::chrono::seconds(5);

}  // namespace

void Service::start() {
  wanted_ = true;
  failure_.clear();
  waiting_.clear();
  resize(count());
  for (auto &slot : slots_) {
    if (slot->instance >= count()) continue;
    slot->policy.reset();
    set_desired(*slot, Desired::Up);
  }
}

void Service::update(PreparedEntry prepared, bool replace) {
  Entry::update(std::move(prepared), replace);
  if (has_workers()) keep_weighing();
  fill_up();
}

void Service::scale(std::int32_t count) {
  Entry::scale(count);
  fill_up();
}

void Service::fill_up() {
  if (!wanted_) return;
  resize(count());
  for (auto &slot : slots_)  // those that are new; a finished or failed one stays so
    if (slot->instance < count() && slot->desired == Desired::Down && failure_.empty()) set_desired(*slot, Desired::Up);
}

void Service::fill_start(Start &start) const {
  start.job = false;
}

void Service::on_message(WorkerId worker, const WorkerMessage &message) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  if (std::holds_alternative<Loaded>(message)) {
    entered_run(*slot);
    keep_weighing();
  }
  if (std::holds_alternative<Ready>(message)) slot->ready = true;
}

void Service::on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  const Departure gone = departure(*slot, status, page);
  const Judgement judgement = judge(gone, config().on_exit);
  note_exit(*slot, judgement, gone);
  forget_worker(*slot);
  switch (judgement.verdict) {
    case Verdict::Done: apply(*slot, WorkerEvent::LeftFinished); break;
    case Verdict::BadData:
    case Verdict::BadConfig:
    case Verdict::LoadFailure:
    case Verdict::InputChanged:
      apply(*slot, WorkerEvent::LeftFailed);
      if (slot->desired == Desired::Up) fail_entry(judgement.reason);
      break;
    case Verdict::Interrupted: restart_after(*slot, Duration{}); break;
    case Verdict::RetryLater:
    case Verdict::NoRoom:
    case Verdict::Yield:
    case Verdict::Failure:
    case Verdict::Crash:
    case Verdict::OutOfMemory:
    case Verdict::Timeout:
    case Verdict::LoadLater: restart_by_policy(*slot, judgement); break;
  }
  drop_surplus();
}

void Service::keep_weighing() {
  if (config().recycle.memory == 0) return weigh_.cancel();
  if (!weigh_.is_set()) weigh_.set(around_.system.now() + kBetweenMemoryLooks, [this] { weigh_all(); });
}

void Service::weigh_all() {
  weigh_.cancel();
  bool any = false;
  for (auto &slot : slots_) {
    if (slot->state != WorkerState::Running) continue;
    any = true;
    if (!why_spent(*slot).empty()) recycle(*slot);
  }
  if (any) keep_weighing();
}

bool Service::has_failed() const {
  return Entry::has_failed() ||
         std::any_of(slots_.begin(), slots_.end(), [](const auto &slot) { return slot->state == WorkerState::Failed; });
}

bool Service::is_up() const {
  return is_wanted() && !slots_.empty() && std::all_of(slots_.begin(), slots_.end(), [](const auto &slot) {
           return slot->state == WorkerState::Running || slot->state == WorkerState::Finished;
         });
}

}  // namespace hostler
