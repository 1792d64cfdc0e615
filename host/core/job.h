// A job's slices: which are handed out, done, waiting, given up; and when the job has ended, with which verdict.
//
// A lease may be cut while it is worked on, where the worker says: it keeps what is before the cut, the rest goes back.
//
// Slice states: ready → leased → (committing →) done; leased → ready (given back) | backoff → leased | quarantined.
// Untouched slices have no row (slice_table.h). Position positions() is the merge: a slice of its own, handed out once
// all others have ended. A quarantined slice holds up no other; a job that ends with more of them than it may have is
// Failed, and has no merge. An ended job stays ended, but for retry().
//
// A charged failure is followed by a backoff, until `attempts` are used up: then the slice is quarantined. RETRY_LATER
// is not charged, but after `max_temporary` of them the next one quarantines. BAD_DATA quarantines at once. What was
// interrupted, or concerns the whole entry (its plugin, its settings, its input), goes back as if never handed out. A
// crash that can be blamed on a part of the slice (core/poison.h) leads to that part being isolated: job_poison.cc.
//
// A slice that finds no room for its outputs goes back likewise, and from then on the job waits for room: a slice a second
// is handed out, by itself, as a trial, and no failure that a slice has returned is charged. When a trial makes a
// checkpoint, or ends in whatever other way, there is room again, and all goes on.
//
// A checkpoint ends a segment of a slice (core/segment.h): from then on the slice, when it comes back, is handed out by
// itself, and goes on there; one that was saved by another version of the plugin's state is dropped as the slice is handed
// out again, and what its segments had added is taken back. What is skipped counts once it is committed.
//
// Pure: time and randomness are handed in; what must become durable is collected as RowDelta and fetched with
// take_changes(). Nothing may be told to a worker before these are durable: that is the caller's part.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/exit_status.h"
#include "core/host_deaths.h"
#include "core/messages.h"
#include "core/poison.h"
#include "core/segment.h"
#include "core/slice_table.h"
#include "core/slicing.h"
#include "core/time.h"

namespace hostler {

using WorkerId = std::uint64_t;

enum class JobState : std::int32_t { Running = 0, Succeeded = 1, Partial = 2, Failed = 3, Cancelled = 4 };
[[nodiscard]] std::string_view name(JobState state);  // round-trip by from_name
[[nodiscard]] std::optional<JobState> job_state_from_name(std::string_view text);

struct JobSettings {
  std::int32_t attempts = 4;
  std::int32_t max_temporary = 100;
  Tolerance max_failed;
  RestartConfig backoff;  // a slice's own backoff between attempts
  bool has_merge = false;
  Tolerance max_skipped{};         // a number is one of records, a percentage one of positions
  std::int64_t state_version = 0;  // of the build that new leases are worked on with
  std::int32_t max_bisect = 256;   // attempts that bisecting one slice may cost; 0: none is bisected
};

struct JobProgress {
  std::int64_t slices = 0;  // of the plan, without the merge
  std::int64_t done = 0;    // whole ones; below, each part of a slice that was cut counts as one
  std::int64_t leased = 0;
  std::int64_t backoff = 0;
  std::int64_t quarantined = 0;
  std::int64_t positions = 0;
  std::int64_t positions_done = 0;
  std::int64_t retries = 0;  // attempts beyond the first
  Skipped skipped;
  std::int64_t isolated = 0;  // records
  std::int64_t positions_isolated = 0;
};

// A slice has no checkpoint any more: it is done, or begins anew.
struct CheckpointEnd {
  std::int64_t begin = 0;  // of the slice, global
  std::shared_ptr<const Checkpoint> checkpoint;
  bool taken_back = false;
};

// What became of one failed slice.
struct SliceOutcome {
  SliceState state = SliceState::Ready;
  std::string reason;                   // "slice 3-16777216: killed by SIGSEGV; attempt 2 of 4, again in 200ms"
  std::optional<std::int64_t> begin{};  // of the row that has the reason, when it is another one than the slice's
};

class Job {
 public:
  // `rows`: those of the ledger at the start of the host, of which leased ones count as ready (their workers are gone).
  // Leases are numbered from `first_lease` on: next_lease() of the job whose place this one takes, as long as a host
  // lives.
  // `skipped`: what is put aside so far.
  Job(JobSettings settings, Manifest manifest, std::vector<SliceRow> rows, std::uint64_t first_lease = 1,
      const Skipped &skipped = {});

  // The host had died while this slice (or the merge) ran; to be told at its start.
  void host_died_in(const DiedIn &death);
  // What is left to do has to run alone, and nothing of this job runs. Then lease_alone() hands it out, and lease() nothing.
  [[nodiscard]] bool wants_solitude(TimePoint now) const;
  [[nodiscard]] std::int64_t next_alone() const;
  // Then nothing may be at work for so long before it: should the host die in that time, it was not that slice.
  [[nodiscard]] Duration wait_alone();
  [[nodiscard]] std::optional<Lease> lease_alone(WorkerId worker, TimePoint now);

  // The next run of slices for a worker, at most `max_slices`; retried slices and the merge are handed out singly.
  // Nothing when nothing is due. The lease is held until ended() or lost() have accounted for all of it.
  [[nodiscard]] std::optional<Lease> lease(WorkerId worker, TimePoint now, std::int64_t max_slices);

  // A worker's message: all of its lease before the slice is done. Says what became of the slice; an error when the
  // worker does not hold that slice. With files the slice is committing until committed().
  [[nodiscard]] Result<SliceOutcome> ended(WorkerId worker, const SliceEnded &ended, const Judgement &judgement,
                                           TimePoint now, double random);
  // The worker has given away the end of its lease: from the cut on it is to be handed out again, not charged. An error
  // for a cut where there can be none.
  [[nodiscard]] Result<void> cut(WorkerId worker, const LeaseCut &given);
  // All of the lease before `up_to` is done; what follows goes back, not charged.
  [[nodiscard]] Result<void> lease_ended(WorkerId worker, const LeaseEnded &ended);
  // A checkpoint of a slice, by a build with this version of its state: all of the lease before the slice is done, and the
  // slice up to the position. What the ledger is to keep; an error when there can be no such checkpoint.
  [[nodiscard]] Result<std::shared_ptr<const Checkpoint>> segment_ended(WorkerId worker, const SegmentEnded &ended,
                                                                        std::int64_t state_version);
  // Of the slice, in work or not, that begins here; or null.
  [[nodiscard]] std::shared_ptr<const Checkpoint> checkpoint_of(std::int64_t begin) const;
  // What the checkpoint of this slice had written is not there any more: its next attempt begins anew.
  void forget_checkpoint(std::int64_t begin);
  // The files of a slice have their places.
  void committed(Interval slice);
  // The worker is gone. `begun`: the slice it was in, by its page (checked against the leases); it is charged by the
  // judgement, the rest goes back. Nothing begun: all goes back. `culprit`: what a crash of a slice that may be cut is to
  // be blamed on.
  [[nodiscard]] SliceOutcome lost(WorkerId worker, std::optional<std::int64_t> begun, const Judgement &judgement,
                                  TimePoint now, double random, const std::optional<Culprit> &culprit = {});

  // More is known of why the slice that begins here (or the merge) failed: where its reason is `was`, it is `better` now.
  void explain(std::int64_t begin, const std::string &was, const std::string &better);

  // What is given up is tried again, as if it had never been handed out: the slices, isolated records or the merge that
  // begin at these global positions; all when there is none. The job runs again if it had ended, and a merge that has
  // ended is to be made again. How many; an error, and nothing has changed, when one is not given up, or merge() is at
  // work.
  [[nodiscard]] Result<std::int64_t> retry(const std::vector<std::int64_t> &begins);
  // Ended by a person's word: nothing more is handed out, and there is no merge. What comes back of it goes back.
  void cancel();
  // The merge has ended, in whatever way.
  [[nodiscard]] bool merge_ended() const;
  // The disk of the outputs is full, as far as is known.
  [[nodiscard]] bool waits_for_room() const { return no_room_.has_value(); }

  // A reload's settings; applies to what comes.
  void set_settings(JobSettings settings);

  [[nodiscard]] bool holds_lease(WorkerId worker) const;
  [[nodiscard]] std::int64_t leases_held(WorkerId worker) const;
  // Is there something to hand out now, and if not, when is there: the first slice in backoff, or a trial?
  [[nodiscard]] bool has_due(TimePoint now) const;
  [[nodiscard]] std::optional<TimePoint> next_due() const;
  // A person does not want to wait: what is in backoff is due.
  void end_backoff();
  // At most how many workers could be busy at once from now on (slices that have not ended).
  [[nodiscard]] std::int64_t open_slices() const;
  // How many nobody has begun, or that have come back; those in backoff are not among them.
  [[nodiscard]] std::int64_t ready_slices() const;
  [[nodiscard]] std::int64_t positions_done() const { return table_.positions_done(); }
  [[nodiscard]] std::uint64_t next_lease() const { return next_lease_; }
  // Running until every slice and the merge have ended; then Succeeded, Partial or Failed, with words.
  [[nodiscard]] JobState state() const { return state_; }
  [[nodiscard]] std::string state_reason() const { return state_reason_; }
  [[nodiscard]] JobProgress progress() const;
  [[nodiscard]] const Manifest &manifest() const { return table_.manifest(); }
  // The public place "INPUT-BEGIN" of the slice, or part of one, that begins here; or "merge".
  [[nodiscard]] std::string place(std::int64_t global) const;
  [[nodiscard]] std::vector<SliceRow> rows() const { return table_.rows(); }
  // The checkpoints that have ended since the last call: as durable as the changes.
  [[nodiscard]] std::vector<CheckpointEnd> take_checkpoint_ends() { return std::exchange(checkpoint_ends_, {}); }
  // What must become durable since the last call, in order.
  [[nodiscard]] std::vector<RowDelta> take_changes() { return table_.take_changes(); }

 private:
  // A lease that is not accounted for yet; its leased row is [row, end) in the table.
  struct Held {
    std::uint64_t id = 0;
    Interval whole;
    std::int64_t row = 0;  // all before is accounted for
  };
  struct Holder {
    std::vector<Held> leases;  // in the order handed out
    std::optional<Held> last;  // the last one that was accounted for to its end, whose LeaseEnded may still come
  };
  struct NoRoom {
    TimePoint next_trial;
    std::uint64_t first_trial = 0;  // leases from this one on are trials; those before may meet the full disk yet
  };

  [[nodiscard]] std::optional<Lease> lease_due(WorkerId worker, TimePoint now, std::int64_t max_slices);
  [[nodiscard]] bool may_hand_out(TimePoint now) const;
  void wait_for_room(TimePoint now);
  void found_room(std::uint64_t lease);
  [[nodiscard]] bool merge_due(TimePoint now) const;
  [[nodiscard]] std::optional<TimePoint> backoff_due() const;
  [[nodiscard]] bool merge_is_ready() const;
  [[nodiscard]] bool merge_is_dangerous() const;
  void change_trouble(std::int64_t begin, const std::function<void(Trouble &)> &change);
  [[nodiscard]] bool others_ended() const;
  [[nodiscard]] std::int64_t lease_end(Interval untouched, std::int64_t max_slices) const;
  [[nodiscard]] Lease hand_out(WorkerId worker, Interval interval, std::int32_t attempt);
  [[nodiscard]] Lease lease_again(WorkerId worker, std::int64_t begin);
  [[nodiscard]] Interval slice_from(std::int64_t begin, const Held &held) const;
  [[nodiscard]] std::string title(std::int64_t begin) const;
  [[nodiscard]] Held *find_lease(WorkerId worker, std::uint64_t id);
  [[nodiscard]] bool may_cut(std::int64_t position) const;
  [[nodiscard]] std::string untold(const Held &held) const;
  SliceRow take_slice(Held &held, Interval slice, bool before_is_done);
  void drop_accounted(WorkerId worker);
  void finish(SliceRow row);
  void end_checkpoint(SliceRow &row, bool take_back);
  [[nodiscard]] Skipped count_of(const std::vector<Aside> &records) const;
  [[nodiscard]] SliceOutcome decide(SliceRow row, const Judgement &judgement, bool has_files, TimePoint now,
                                    double random);
  [[nodiscard]] SliceOutcome not_charged(SliceRow row, const std::string &reason);
  [[nodiscard]] SliceOutcome charge(SliceRow row, const std::string &reason, TimePoint now, double random);
  [[nodiscard]] SliceOutcome put_off(SliceRow row, const std::string &reason, TimePoint now, double random);
  [[nodiscard]] SliceOutcome quarantine(SliceRow row, const std::string &reason, const std::string &why);
  void back_off(SliceRow row, TimePoint due);
  // job_poison.cc
  [[nodiscard]] SliceOutcome crashed(SliceRow row, const std::string &reason, const Culprit &culprit, TimePoint now,
                                     double random);
  [[nodiscard]] bool may_isolate(Interval record) const;
  [[nodiscard]] SliceOutcome isolate(SliceRow row, const std::string &reason, const Culprit &culprit);
  [[nodiscard]] SliceOutcome bisect(SliceRow row, const std::string &reason, Interval at);
  void put_part(const SliceRow &whole, Interval part, std::int32_t bisected);
  void recall_bisecting();
  [[nodiscard]] std::string first_of(const std::set<std::int64_t> &rows) const;
  // What is skipped and what is isolated.
  [[nodiscard]] Skipped aside() const;
  [[nodiscard]] bool may_skip(const Skipped &aside) const;
  [[nodiscard]] std::string aside_words(std::string_view verdict) const;
  void settle();
  void settle_as(JobState state, std::string reason);

  JobSettings settings_;
  SliceTable table_;
  std::map<WorkerId, Holder> holders_;
  std::map<std::int64_t, std::int32_t> bisected_;         // attempts so far, by the slice's index in the plan
  std::set<std::pair<TimePoint, std::int64_t>> waiting_;  // rows in backoff, without the merge
  TimePoint merge_due_ = TimePoint::min();
  std::uint64_t next_lease_ = 1;
  std::optional<NoRoom> no_room_;
  Skipped skipped_;  // in all that is committed
  std::vector<CheckpointEnd> checkpoint_ends_;
  JobState state_ = JobState::Running;
  std::string state_reason_;
};

// What differs between the job as it was planned and as it is wanted, in words: "params.top 20 → 30", "input data/a.txt
// changed (size 10 → 12)". Empty: the same job. The order of the inputs is no difference: a resumed job has its own.
struct JobIdentity {
  InputConfig input;  // as configured, without patterns: kind, slice, record_size
  std::string output;
  std::map<std::string, std::string> params;
};
[[nodiscard]] std::vector<std::string> param_changes(const std::map<std::string, std::string> &was,
                                                     const std::map<std::string, std::string> &now);
[[nodiscard]] std::vector<std::string> job_changes(const JobIdentity &was, const Manifest &planned,
                                                   const JobIdentity &now, const Manifest &wanted);

// `--resume`: the manifest that keeps what is done. Inputs with something done must be unchanged and keep their
// ordinals; others are replaced in place (a vanished one gets size kGone) and new ones come behind. Range and Items may
// grow and shrink around what is done. `rows`: what is done, in the new numbering; committing ones count as done (their
// files are on the way). All else begins anew: attempts, quarantine, and the merge; with `keep_checkpoints` a slice that is
// the same as before keeps its checkpoint. No lease may be out. An error names what cannot be kept.
struct Resumed {
  Manifest manifest;
  std::vector<SliceRow> rows;
};
[[nodiscard]] Result<Resumed> resume_job(const Manifest &planned, const std::vector<SliceRow> &rows,
                                         const Manifest &wanted, bool keep_checkpoints = true);

}  // namespace hostler
