// A worker of a job has died in a slice that may be cut: what of the slice is to be blamed, before the death is dealt
// with. Which line that is only the file can tell, so the answer may come later; the dead keeps its leases until then.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/units.h"
#include "job_entry.h"

namespace hostler {
void JobEntry::blame(WorkerId worker, const Departure &gone) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  const auto begun = slice_begun(*slot, gone.page);
  const Manifest &plan = job_.manifest();
  const bool by_itself = static_cast<Stage>(gone.page.stage) == Stage::Running && is_own_doing(gone.status) &&
                         !gone.stopping && !gone.killed_by_host && !gone.broke_protocol && gone.overdue.empty();
  const bool may_cut = may_split() && plan.kind() != InputKind::File;
  if (!begun || *begun >= plan.positions() || !by_itself || !may_cut) return left(*slot, gone, {});
  const SliceSpan slice = plan.slice_at(*begun, {*begun, held_at(worker, *begun)->lease.end});
  const Suspicion suspected = suspicion(gone.page, {slice.begin, slice.end}, plan.unit());
  auto query = query_for(suspected, plan, slice);
  if (!query) return left(*slot, gone, culprit(suspected, plan, slice, std::nullopt));
  ++commits_;
  around_.store.read_record(*query, [this, worker, gone, suspected, slice](const Result<FoundRecord> &found) {
    --commits_;
    Slot *slot = slot_of(worker);
    if (slot == nullptr) return;
    if (!found) log(LogLevel::Warning, fmt::format("{}: {}", name(), found.error().text()));
    const auto known = found ? std::optional(*found) : std::nullopt;
    left(*slot, gone, culprit(suspected, job_.manifest(), slice, known));
  });
}

// What was isolated, for a person; the backtrace comes later, if there is one.
void JobEntry::put_record(WorkerId worker, std::int64_t begin, const Culprit &culprit, StoreBatch &batch) {
  IsolatedRecord record{job_.manifest().input_at(begin), culprit.record, culprit.bytes, std::nullopt};
  if (unexplained_.contains(worker)) unexplained_records_[worker] = record;
  batch.push_back(PutIsolated{name(), std::move(record)});
}

StoreBatch JobEntry::explain_record(WorkerId worker, const Backtrace &backtrace) {
  auto node = unexplained_records_.extract(worker);
  if (node.empty()) return {};
  node.mapped().bytes.reset();
  node.mapped().backtrace = fmt::format("{}", fmt::join(plugin_lines(backtrace), "\n"));
  StoreBatch batch;
  batch.push_back(PutIsolated{name(), std::move(node.mapped())});
  return batch;
}

// Is it the code? (core/code_or_data.h)
void JobEntry::judge_build_anew() {
  code_or_data_.begin_anew(build().hash);
  if (stored_.proven_builds.contains(build().hash)) code_or_data_.done();
}

// A worker that crashes all the same, past its first claim or not, is one attempt. A part of a slice, which may be a single
// record, is there because of the data.
void JobEntry::note_crash(const Slot &slot, const Departure &gone, std::int64_t begun, const Judgement &judgement) {
  const bool crash = judgement.verdict == Verdict::Crash || judgement.verdict == Verdict::OutOfMemory;
  if (!crash || !is_own_doing(gone.status) || slot.build->hash != build().hash ||
      is_past_first_claim(*slot.worker, gone.page))
    return;
  const SliceSpan planned = job_.manifest().slice_at(begun);
  if (const Held *held = held_at(*slot.worker, begun))
    if (job_.manifest().slice_at(begun, {held->lease.begin, held->lease.end}).global != planned.global) return;
  code_or_data_.crashed(planned.index);
}

void JobEntry::note_success(const Slot &slot) {
  if (code_or_data_.is_proven() || slot.build->hash != code_or_data_.build()) return;
  code_or_data_.done();
  stored_.proven_builds.insert(slot.build->hash);
}

bool JobEntry::is_past_first_claim(WorkerId worker, const WorkerPart &page) const {
  const Held *held = held_at(worker, page.begun);
  if (held == nullptr || page.begun >= job_.manifest().positions()) return false;
  return page.claimed_from > job_.manifest().slice_at(page.begun, {page.begun, held->lease.end}).begin;
}

bool JobEntry::may_begin() {
  if (around_.alone != nullptr && around_.alone != this) {
    look_again();
    return false;
  }
  if (!code_or_data_.is_suspicious()) return true;
  std::int64_t at_work = 0;
  for (const auto &slot : slots_) {
    const auto held = slot->worker ? held_leases_.find(*slot->worker) : held_leases_.end();
    if (held == held_leases_.end() || held->second.empty()) continue;
    if (!is_past_first_claim(*slot->worker, around_.system.page(*slot->worker))) ++at_work;
  }
  const bool may = code_or_data_.may_begin(at_work, count());
  if (!may) look_again();
  return may;
}

void JobEntry::look_again(Duration after) {
  if (!again_.is_set()) again_.set(around_.system.now() + after, [this] { want_workers(); });
}

void JobEntry::wait_alone() {
  const std::int64_t begin = job_.next_alone();
  const Duration quiet = job_.wait_alone();
  quiet_until_ = around_.system.now() + quiet;
  log(LogLevel::Warning, fmt::format("{}: {} runs alone in {}: the host died while it ran, again and again", name(),
                                     begin == job_.manifest().positions() ? "merge" : "slice " + job_.place(begin),
                                     format_duration(std::chrono::ceil<std::chrono::milliseconds>(quiet))));
  commit_changes();
}

// A slice that may kill the host, when nothing else is left of the job: first all others have to be idle.
bool JobEntry::hand_out_alone(Slot &slot) {
  const TimePoint now = around_.system.now();
  if (!job_.wants_solitude(now)) return false;
  if (around_.alone == nullptr) {
    around_.alone = this;
    quiet_until_.reset();
  }
  if (around_.alone != this || !around_.others_are_idle(*this)) {
    look_again();
    return false;
  }
  if (!quiet_until_) wait_alone();
  if (now < *quiet_until_) {
    look_again(*quiet_until_ - now);
    return false;
  }
  auto lease = job_.lease_alone(*slot.worker, now);
  if (!lease) return false;
  hold(slot, std::move(*lease));
  return true;
}

bool JobEntry::holds_leases() const {
  return std::any_of(held_leases_.begin(), held_leases_.end(), [](const auto &held) { return !held.second.empty(); });
}

bool JobEntry::needs_solitude() const {
  return wanted_ && failure_.empty() && (job_.wants_solitude(around_.system.now()) || holds_leases());
}

}  // namespace hostler
