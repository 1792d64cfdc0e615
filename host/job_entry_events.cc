// What comes back from the workers of a job: ended slices, ended leases, and deaths.
#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "job_entry.h"

namespace hostler {
namespace {

// Verdicts after which the worker goes on with its next slice (docs/design.md, exit statuses).
bool keeps_process(std::int32_t returned) {
  return returned == 0 || returned == 65 || returned == 75 || returned == 85;
}

bool stops_entry(Verdict verdict) {
  return verdict == Verdict::BadConfig || verdict == Verdict::LoadFailure || verdict == Verdict::InputChanged;
}

bool has_files(InputKind kind) {
  return kind == InputKind::Lines || kind == InputKind::Records || kind == InputKind::File;
}

}  // namespace

// It may have been the last one that the end of the job waited for.
void JobEntry::on_spawn_failed(WorkerId worker, const Error &error) {
  Entry::on_spawn_failed(worker, error);
  drop_surplus();
  want_workers();
  check_end();
}

void JobEntry::on_message(WorkerId worker, const WorkerMessage &message) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  if (std::holds_alternative<Loaded>(message)) {
    entered_run(*slot);
    hand_out(*slot);
  } else if (const auto *ended = std::get_if<SliceEnded>(&message)) {
    slice_ended(*slot, *ended);
  } else if (const auto *segment = std::get_if<SegmentEnded>(&message)) {
    segment_ended(*slot, *segment);
  } else if (const auto *given = std::get_if<LeaseCut>(&message)) {
    lease_cut(*slot, *given);
  } else if (const auto *lease = std::get_if<LeaseEnded>(&message)) {
    lease_ended(*slot, *lease);
  }
}

void JobEntry::slice_ended(Slot &slot, const SliceEnded &ended) {
  const bool asked = slot.state != WorkerState::Running || slot.told_deadline;
  const bool over_time = slot.told_deadline && slot.deadline_slice == ended.slice.begin;
  const std::int64_t begin = ended.slice.begin;
  const bool in_input = begin >= 0 && begin < job_.manifest().positions();
  const std::int64_t shift = in_input ? job_.manifest().slice_from(begin).begin - begin : 0;
  Judgement judgement =
      judge(ended, asked, over_time ? slot.deadline : std::string(), shift, has_advanced(slot, ended.lease, begin));
  if (judgement.verdict == Verdict::Done)
    if (std::string fault = counter_fault(ended.counters); !fault.empty())
      judgement = {Verdict::Failure, std::move(fault)};
  const Held *held = held_at(*slot.worker, begin);
  const bool is_its_own = held != nullptr && held->lease.id == ended.lease;  // or ended() says what is wrong
  if (is_its_own)
    if (std::string fault = fault_of_files(*held, ended, judgement.verdict == Verdict::Done); !fault.empty())
      return protocol_error(slot, fault);
  const TimePoint now = around_.system.now();
  note_ended(slot, ended, judgement);
  if (is_its_own && ended.saved_lost) job_.forget_checkpoint(begin);
  const auto outcome = job_.ended(*slot.worker, ended, judgement, now, around_.system.random());
  if (!outcome) return protocol_error(slot, outcome.error().text());
  if (!keeps_process(ended.rule >= 0 ? ended.counts_as : ended.returned)) slot.leaving = true;
  watch_anew(slot);
  if (judgement.verdict == Verdict::Done) note_success(slot);
  if (judgement.verdict != Verdict::Done && judgement.verdict != Verdict::Yield && judgement.verdict != Verdict::NoRoom)
    log(LogLevel::Warning, fmt::format("{}: {}", slot_name(slot), outcome->reason));

  record(ended, judgement);
  forget_lease(*slot.worker, ended.lease, ended.slice.end);
  if (outcome->state == SliceState::Committing)
    commit_moves(ended.slice);
  else
    commit_slices();
  sample_rate();
  if (stops_entry(judgement.verdict) && job_.state() == JobState::Running) return fail_entry(outcome->reason);
  hand_out(slot);
  if (outcome->state != SliceState::Done) want_workers();
  tell_of_room(outcome->reason);
}

// Once when it begins to be waited for, and once when it is there; not of each trial.
void JobEntry::tell_of_room(const std::string &why) {
  if (job_.waits_for_room() == !no_room_.empty()) return;
  const std::string &output = stored_.identity.output;
  if (no_room_.empty()) {
    no_room_ = fmt::format("no room in {}, so one slice a second is tried", output);
    log(LogLevel::Warning, fmt::format("{}: {}; {}", name(), no_room_, why));
  } else {
    no_room_.clear();
    log(LogLevel::Info, fmt::format("{}: there is room in {} again", name(), output));
    want_workers();
  }
  around_.changed();
}

void JobEntry::lease_ended(Slot &slot, const LeaseEnded &ended) {
  if (auto ok = job_.lease_ended(*slot.worker, ended); !ok) return protocol_error(slot, ok.error().text());
  auto &held = held_leases_[*slot.worker];
  for (const Held &each : held)
    if (each.lease.id == ended.lease) note_done(slot, each, ended.up_to);
  if (noted_[*slot.worker].run) note_success(slot);
  forget_lease(*slot.worker, ended.lease, ended.up_to);
  watch_anew(slot);
  std::erase_if(held, [&](const Held &each) { return each.lease.id == ended.lease; });
  commit_changes();
  sample_rate();
  hand_out(slot);
  if (job_.open_slices() <= count()) want_workers();
  tell_of_room({});
}

// The worker is through with the lease up to here; measures a lease that has ended.
void JobEntry::forget_lease(WorkerId worker, std::uint64_t lease, std::int64_t up_to) {
  auto &held = held_leases_[worker];
  const auto found = std::find_if(held.begin(), held.end(), [&](const Held &each) { return each.lease.id == lease; });
  if (found == held.end() || up_to < found->lease.end) return;
  const TimePoint now = around_.system.now();
  const std::int64_t slices = job_.manifest().slices_in({found->lease.begin, found->lease.end});
  if (slices > 0) lease_size_.took(slices, now - found->began);
  held.erase(found);
  if (!held.empty()) held.front().since = held.front().began = now;
}

void JobEntry::on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) {
  Slot *slot = slot_of(worker);
  if (slot == nullptr) return;
  Departure gone = departure(*slot, status, page);
  const auto begun = slice_begun(*slot, page);
  const bool in_file =
      begun && *begun < job_.manifest().positions() && has_files(job_.manifest().kind());  // not in merge()
  if (!in_file || !status.signaled || status.value != SIGBUS) return blame(worker, gone);
  // A file that shrinks under a mapping kills with SIGBUS: ask the file before blaming the slice.
  const auto input = static_cast<std::size_t>(job_.manifest().slice_at(*begun).input);
  ++commits_;
  around_.store.check_inputs({job_.manifest().inputs()[input]}, [this, worker, gone](Result<void> same) {
    --commits_;
    Slot *slot = slot_of(worker);
    if (slot == nullptr) return;
    if (same) return blame(worker, gone);
    Departure by_input = gone;
    by_input.input_changed = same.error().text();
    left(*slot, std::move(by_input), {});
  });
}

// Only what the messages said is done; the page tells which slice to charge.
void JobEntry::left(Slot &slot, Departure gone, const std::optional<Culprit> &culprit) {
  const auto begun = slice_begun(slot, gone.page);
  // A verdict that did not arrive as a message does not count.
  if (begun) gone.page.stage = static_cast<std::uint32_t>(Stage::Running);
  const bool merge = begun && *begun == job_.manifest().positions();
  if (begun) gone.place = merge ? std::string(kInMerge) : "in slice " + job_.place(*begun);
  Judgement judgement = judge(gone, config().on_exit);
  // Without a slice there is nothing to call done or to put off: the entry may be failed, or else the table counts.
  if (!begun && !slot.leaving && judgement.rule >= 0 && judgement.verdict != Verdict::BadConfig)
    judgement = judge(gone);
  const bool asked = !begun && (gone.stopping || slot.told_deadline);
  const bool dismissed = asked && !gone.status.signaled && gone.status.value == 0 && gone.overdue.empty();
  if (dismissed) judgement = {Verdict::Interrupted, "left when asked to"};
  note_exit(slot, judgement, gone);
  if (slot.last_crash == slot.worker) unexplained_.emplace(*slot.worker, begun);
  if (begun) note_lost(slot, *begun, judgement, gone.status);
  if (begun && !merge) note_crash(slot, gone, *begun, judgement);
  note_usage(gone.status.usage);
  settle(noted_[*slot.worker]);
  noted_.erase(*slot.worker);
  lose_leases(slot, judgement, begun, culprit);
  const bool leaving = slot.leaving;
  forget_worker(slot);

  if (stops_entry(judgement.verdict) && !leaving) {
    apply(slot, WorkerEvent::LeftFailed);
    fail_entry(judgement.reason);
  } else if (job_.open_slices() == 0 || job_.state() != JobState::Running) {
    apply(slot, WorkerEvent::LeftFinished);
  } else if (begun || leaving || judgement.verdict == Verdict::Interrupted) {
    restart_after(slot, Duration{});  // the slice has its own backoff
  } else {
    restart_by_policy(slot, judgement);
  }
  if (const auto verdict = code_or_data_.verdict(count());
      verdict && failure_.empty() && job_.state() == JobState::Running)
    fail_entry(*verdict + "; the last: " + judgement.reason);
  drop_surplus();
  want_workers();
  check_end();
}

void JobEntry::on_explained(const CrashCase &crash, const std::string &better, const Backtrace &backtrace) {
  Entry::on_explained(crash, better, backtrace);
  failure_changed();
  const auto node = unexplained_.extract(crash.worker);
  if (node.empty()) return;
  if (node.mapped()) job_.explain(*node.mapped(), crash.verdict, with_site(crash.verdict, crash.crash.site, better));
  explain_attempt(crash.worker, crash.verdict, with_site(crash.verdict, crash.crash.site, better));
  if (!out_of_step_) commit_changes(explain_record(crash.worker, backtrace));
  check_end();
}

void JobEntry::lose_leases(Slot &slot, const Judgement &judgement, std::optional<std::int64_t> begun,
                           const std::optional<Culprit> &culprit) {
  const WorkerId worker = *slot.worker;
  const SliceOutcome outcome =
      job_.lost(worker, begun, judgement, around_.system.now(), around_.system.random(), culprit);
  if (const auto unexplained = unexplained_.find(worker); outcome.begin && unexplained != unexplained_.end())
    unexplained->second = outcome.begin;
  StoreBatch batch;
  if (outcome.state == SliceState::Isolated) put_record(worker, *outcome.begin, *culprit, batch);
  if (begun && !outcome.reason.empty()) log(LogLevel::Warning, fmt::format("{}: {}", name(), outcome.reason));
  if (begun) {
    const auto checkpoint = job_.checkpoint_of(*begun);
    if (const Held *held = held_at(worker, *begun)) {
      const std::string dir = attempt_dir_of(*held, *begun);
      if (!checkpoint || checkpoint->attempt_dir != dir) batch.push_back(DropAttempt{dir});
    }
  }
  held_leases_.erase(worker);
  batch.push_back(PutUsage{name(), stored_.usage});
  commit_changes(std::move(batch));
}

// The slice the worker was in, by its page: trusted only as far as it lies in a lease that was sent.
std::optional<std::int64_t> JobEntry::slice_begun(const Slot &slot, const WorkerPart &page) const {
  if (page.layout != kPageLayout || slot.leaving) return std::nullopt;
  const auto stage = static_cast<Stage>(page.stage);
  if (stage != Stage::Running && stage != Stage::Returned && stage != Stage::Settling && stage != Stage::Checkpointing)
    return std::nullopt;
  if (held_at(*slot.worker, page.begun) == nullptr) return std::nullopt;
  return page.begun;
}

const JobEntry::Held *JobEntry::held_at(WorkerId worker, std::int64_t position) const {
  const auto held = held_leases_.find(worker);
  if (held == held_leases_.end()) return nullptr;
  for (const Held &each : held->second)
    if (each.sent && each.lease.begin <= position && position < each.lease.end) return &each;
  return nullptr;
}

void JobEntry::protocol_error(Slot &slot, const std::string &what) {
  slot.broke_protocol = true;
  log(LogLevel::Error, fmt::format("{}: broke the protocol and is killed: {}", slot_name(slot), what));
  around_.system.kill(*slot.worker);
}

}  // namespace hostler
