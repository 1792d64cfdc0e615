// What attempts at slices came to, and what their workers have cost: for joblog and the report, written in the
// transactions that the slices need anyway.
//
// Slices that a worker does one after another share a line while all of them together have taken no longer than
// kOneLine, as long as they are of one lease: so a million slices a second are a handful of lines.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/exit_status.h"
#include "job_entry.h"

namespace hostler {
namespace {

constexpr Duration kOneLine = std::chrono::milliseconds(100);

}  // namespace

// When the slice that follows what is noted began: once the worker was through with what came before, and had the lease.
TimePoint JobEntry::began(const Slot &slot, const Held &held) {
  Noted &noted = noted_[*slot.worker];
  if (noted.lease != held.lease.id) {
    noted.lease = held.lease.id;
    noted.up_to = held.lease.begin;
    settle(noted);
    noted.run.reset();
  }
  return std::max(noted.at, held.sent_at);
}

void JobEntry::note(Attempt attempt) {
  stored_.last_build = attempt.build->hash;
  if (!new_attempts_.empty() && new_attempts_.back().seq == attempt.seq)
    new_attempts_.back() = std::move(attempt);
  else
    new_attempts_.push_back(std::move(attempt));
}

void JobEntry::settle(Noted &noted) {
  if (std::exchange(noted.owed, false)) note(*noted.run);
}

void JobEntry::owe(WorkerId worker) {
  if (!std::exchange(noted_[worker].owed, true)) owing_.push_back(worker);
}

// A line that grows is told with the slices that it grows by, so a host that is killed owes nothing.
std::vector<Attempt> JobEntry::take_attempts() {
  for (const WorkerId worker : std::exchange(owing_, {}))
    if (const auto noted = noted_.find(worker); noted != noted_.end()) settle(noted->second);
  return std::exchange(new_attempts_, {});
}

void JobEntry::note_done(const Slot &slot, const Held &held, std::int64_t up_to) {
  const TimePoint since = began(slot, held);
  Noted &noted = noted_[*slot.worker];
  up_to = std::min(up_to, held.lease.end);
  if (up_to <= noted.up_to) return;
  const TimePoint now = around_.system.now();
  if (!noted.run || noted.run->took >= kOneLine) {
    settle(noted);
    Attempt attempt;
    attempt.seq = ++stored_.attempts_noted;
    attempt.attempt = held.lease.attempt;
    attempt.verdict = hostler::name(Verdict::Done);
    attempt.worker = slot.instance;
    attempt.build = slot.build;
    attempt.began = since;
    noted.run = std::move(attempt);
    noted.run_begin = noted.up_to;
  }
  noted.run->range = range_of(job_.manifest(), {noted.run_begin, up_to});
  noted.run->took = now - noted.run->began;
  noted.up_to = up_to;
  noted.at = now;
  owe(*slot.worker);
}

void JobEntry::note_ended(const Slot &slot, const SliceEnded &ended, const Judgement &judgement) {
  const auto &leases = held_leases_[*slot.worker];
  const auto held =
      std::find_if(leases.begin(), leases.end(), [&](const Held &each) { return each.lease.id == ended.lease; });
  const Interval slice = ended.slice;
  if (held == leases.end() || slice.begin < held->lease.begin || slice.end > held->lease.end ||
      slice.begin >= slice.end)
    return;  // job_ refuses it
  if (judgement.verdict == Verdict::Done) return note_done(slot, *held, slice.end);
  // What came before it is done, and nobody has told how long that took: an equal share each.
  const TimePoint since = began(slot, *held);
  const TimePoint now = around_.system.now();
  const std::int64_t done = slice.begin - noted_[*slot.worker].up_to;
  const std::int64_t slices = done > 0 ? job_.manifest().slices_in({slice.begin - done, slice.begin}) : 0;
  const Duration took = (now - since) / (slices + 1);
  if (done > 0) {
    note_done(slot, *held, slice.begin);
    noted_[*slot.worker].run->took -= took;
  }
  Noted &noted = noted_[*slot.worker];
  settle(noted);
  noted.run.reset();
  noted.up_to = slice.end;
  noted.at = now;
  // The trials of a job that waits for room are no news, and may be many.
  if (judgement.verdict == Verdict::NoRoom && job_.waits_for_room()) return;
  Attempt attempt;
  attempt.seq = ++stored_.attempts_noted;
  attempt.range = range_of(job_.manifest(), slice);
  attempt.attempt = held->lease.attempt;
  attempt.verdict = hostler::name(judgement.verdict);
  attempt.code = ended.returned;
  attempt.worker = slot.instance;
  attempt.build = slot.build;
  attempt.began = now - took;
  attempt.took = took;
  attempt.reason = judgement.reason;
  note(std::move(attempt));
}

void JobEntry::note_lost(const Slot &slot, std::int64_t begun, const Judgement &judgement, const WaitStatus &status) {
  const auto &leases = held_leases_[*slot.worker];
  const auto held = std::find_if(leases.begin(), leases.end(), [&](const Held &each) {
    return each.sent && each.lease.begin <= begun && begun < each.lease.end;
  });
  if (held == leases.end()) return;
  const bool merge = begun >= job_.manifest().positions();
  const Interval whole{held->lease.begin, held->lease.end};
  Attempt attempt;
  attempt.seq = ++stored_.attempts_noted;
  attempt.range = range_of(job_.manifest(), merge ? whole : job_.manifest().slice_at(begun, whole).global);
  attempt.attempt = held->lease.attempt;
  attempt.verdict = told_name(judgement.verdict, status);
  attempt.code = status.signaled ? 0 : status.value;
  attempt.signal = status.signaled ? status.value : 0;
  attempt.worker = slot.instance;
  attempt.build = slot.build;
  attempt.began = began(slot, *held);
  attempt.took = around_.system.now() - attempt.began;
  attempt.reason = judgement.reason;
  if (slot.last_crash == slot.worker) unexplained_attempts_[*slot.worker] = attempt;
  note(std::move(attempt));
}

// How long it ran nobody knows: the page does not tell when the host died.
void JobEntry::note_died_with_host(const DiedIn &death) {
  Build of = build();
  if (of.hash != death.build) {  // in the store, beside that of today
    const std::filesystem::path today = of.library;
    of =
        Build{death.build, today.parent_path().parent_path() / death.build / today.filename(), {}, {}, 0, 0, false, {}};
  }
  Attempt attempt;
  attempt.seq = ++stored_.attempts_noted;
  attempt.range = death.range;
  attempt.attempt = death.attempt;
  attempt.verdict = hostler::name(Verdict::Interrupted);
  attempt.worker = death.worker;
  attempt.build = std::make_shared<const Build>(std::move(of));
  attempt.began = death.began;
  attempt.reason = death.reason;
  note(std::move(attempt));
}

void JobEntry::explain_attempt(WorkerId worker, const std::string &was, const std::string &better) {
  auto node = unexplained_attempts_.extract(worker);
  if (node.empty() || !node.mapped().reason.starts_with(was)) return;
  node.mapped().reason.replace(0, was.size(), better);
  note(std::move(node.mapped()));
}

void JobEntry::note_usage(const WorkerUsage &usage) {
  ++stored_.usage.workers;
  stored_.usage.cpu += usage.cpu;
  stored_.usage.peak_bytes = std::max(stored_.usage.peak_bytes, usage.peak_bytes);
}

}  // namespace hostler
