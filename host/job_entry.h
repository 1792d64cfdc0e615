// A job: `count` workers pull leases (runs of slices) until all are done, then one calls merge(). core/job decides what
// is handed out and what a verdict means; this file makes it durable before it is told, and tells it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/code_or_data.h"
#include "core/job.h"
#include "core/lease_size.h"
#include "entry.h"

namespace hostler {

class JobEntry final : public Entry {
 public:
  // `stored`: as the ledger has it. `create`: the ledger is yet to be told (CreateJob or ReplanJob), before anything else.
  // `first_lease`: next_lease() of the entry whose place it takes, so that no attempt folder has its name twice.
  JobEntry(Surroundings &around, PreparedEntry prepared, StoredJob stored, std::optional<StoreStep> create,
           std::uint64_t first_lease);

  void start() override;
  void update(PreparedEntry prepared, bool replace) override;
  [[nodiscard]] std::string cannot_start() const override;
  void stop_by_hand() override;
  void scale(std::int32_t count) override;
  // What is given up is tried again (core/job.h); an ended job runs again.
  [[nodiscard]] Result<std::int64_t> retry(const std::vector<std::int64_t> &begins);
  // Why retry() would be of no use, or nothing: what names a slice of it otherwise. Changes nothing.
  [[nodiscard]] Result<void> can_retry(const std::vector<std::int64_t> &begins) const;
  // Ends by a person's word, as soon as no worker is left.
  void cancel_by_hand();
  void on_spawn_failed(WorkerId worker, const Error &error) override;
  void on_message(WorkerId worker, const WorkerMessage &message) override;
  void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) override;
  void on_explained(const CrashCase &crash, const std::string &better, const Backtrace &backtrace) override;
  [[nodiscard]] bool is_quiet() const override;
  [[nodiscard]] bool is_calm() const override { return Entry::is_calm() && !creating_ && !is_ending(); }
  [[nodiscard]] bool is_up() const override {
    return failure_.empty() && (stored_.state == JobState::Succeeded || stored_.state == JobState::Partial);
  }
  [[nodiscard]] bool has_failed() const override {
    return Entry::has_failed() || stored_.state == JobState::Failed || stored_.state == JobState::Cancelled;
  }
  // Ended with a verdict, or stopped for good by fail_entry().
  [[nodiscard]] bool has_ended() const;
  [[nodiscard]] EntryStatus status() const override;
  // The job as the ledger has it now.
  [[nodiscard]] StoredJob stored() const;
  [[nodiscard]] const StoredJob &planned() const { return stored_; }
  // A slice of it has to run with no other of any job beside it, or does.
  [[nodiscard]] bool needs_solitude() const;
  [[nodiscard]] bool holds_leases() const;
  // The ledger has it, or a former one of its name.
  [[nodiscard]] bool is_created() const { return !create_ || !std::holds_alternative<CreateJob>(*create_); }
  [[nodiscard]] std::uint64_t next_lease() const { return job_.next_lease(); }
  // It goes before it has begun: that it is to go on under another plan becomes durable nevertheless.
  void keep_plan();

 private:
  // What could not be handed out, as others must be through first, is tried again after this.
  static constexpr Duration kLookAgain = std::chrono::milliseconds(50);

  struct Held {  // a lease on its way to a worker or with it
    Lease lease;
    TimePoint since{};  // it is in work as it is now
    bool sent = false;
    TimePoint sent_at{};
    TimePoint began{};  // its first slice
    TimePoint asked{};  // for a share of it, or not yet
  };
  // A lease that is worked on for long, and what is left of it.
  struct Straggler {
    WorkerId worker = 0;
    Held *held = nullptr;
    std::int64_t left = 0;  // positions that it could give away
    TimePoint worth_it{};   // … when it should be asked for some
  };

  // How far the attempts of a worker are noted.
  struct Noted {
    std::uint64_t lease = 0;
    std::int64_t up_to = 0;      // of that lease, global
    TimePoint at{};              // what follows began then, or later
    std::optional<Attempt> run;  // the line of what is done last, as long as it may grow
    std::int64_t run_begin = 0;  // … and where it begins, global
    bool owed = false;           // … and has grown since the ledger was told
  };

  [[nodiscard]] bool drains() const override { return job_.state() != JobState::Cancelled; }
  void fill_start(Start &start) const override;
  [[nodiscard]] bool has_work(const Slot &slot) const override;
  void gave_up(Slot &slot) override;
  void failure_changed() override;

  void create();
  void want_workers();
  void raise_workers();
  void feed();
  void wait_for_due();
  void hand_out(Slot &slot);
  bool hand_out_one(Slot &slot);
  void hold(Slot &slot, Lease given);
  void send(WorkerId worker, std::uint64_t lease);
  void send_merge(WorkerId worker, std::uint64_t lease);
  void send_saved(WorkerId worker, std::uint64_t lease);
  void slice_ended(Slot &slot, const SliceEnded &ended);
  void lease_ended(Slot &slot, const LeaseEnded &ended);
  void tell_of_room(const std::string &why);
  void forget_lease(WorkerId worker, std::uint64_t lease, std::int64_t up_to);
  void left(Slot &slot, Departure gone, const std::optional<Culprit> &culprit);
  void lose_leases(Slot &slot, const Judgement &judgement, std::optional<std::int64_t> begun,
                   const std::optional<Culprit> &culprit);
  // job_entry_poison.cc
  void blame(WorkerId worker, const Departure &gone);
  void put_record(WorkerId worker, std::int64_t begin, const Culprit &culprit, StoreBatch &batch);
  [[nodiscard]] StoreBatch explain_record(WorkerId worker, const Backtrace &backtrace);
  [[nodiscard]] bool may_begin();
  [[nodiscard]] bool is_past_first_claim(WorkerId worker, const WorkerPart &page) const;
  void note_crash(const Slot &slot, const Departure &gone, std::int64_t begun, const Judgement &judgement);
  void note_success(const Slot &slot);
  void judge_build_anew();
  bool hand_out_alone(Slot &slot);
  void wait_alone();
  void look_again(Duration after = kLookAgain);
  // job_entry_segments.cc: checkpoints.
  void segment_ended(Slot &slot, const SegmentEnded &ended);
  void answer(WorkerId worker, const SegmentEnded &ended, std::int32_t error);
  [[nodiscard]] std::string attempt_dir_of(const Held &held, std::int64_t begin) const;
  [[nodiscard]] std::string fault_of_files(const Held &held, const SegmentEnded &ended) const;
  [[nodiscard]] std::string fault_of_files(const Held &held, const SliceEnded &ended, bool done) const;
  [[nodiscard]] bool has_advanced(const Slot &slot, std::uint64_t lease, std::int64_t begin) const;
  // job_entry_ledger.cc: what the ledger is told.
  [[nodiscard]] std::string counter_fault(const std::map<std::string, std::int64_t> &deltas) const;
  void record(const SliceEnded &ended, const Judgement &judgement);
  void add(const std::map<std::string, std::int64_t> &deltas);
  void end_checkpoints(StoreBatch &batch);
  // All that it is yet to be told: what slices left, rows, `besides`, and the checkpoints that end with them.
  [[nodiscard]] StoreBatch take_changes(StoreBatch besides = {});
  void commit(StoreBatch batch, std::function<void()> then, std::function<void()> otherwise = {});
  void commit_changes(StoreBatch besides = {});
  void commit_slices();
  void commit_moves(Interval slice, StoreBatch besides = {});
  // job_entry_attempts.cc: what attempts at slices came to, for joblog.
  void note_done(const Slot &slot, const Held &held, std::int64_t up_to);
  void note_ended(const Slot &slot, const SliceEnded &ended, const Judgement &judgement);
  void note_died_with_host(const DiedIn &death);
  void note_lost(const Slot &slot, std::int64_t begun, const Judgement &judgement, const WaitStatus &status);
  [[nodiscard]] TimePoint began(const Slot &slot, const Held &held);
  void note(Attempt attempt);
  void settle(Noted &noted);
  void owe(WorkerId worker);
  [[nodiscard]] std::vector<Attempt> take_attempts();
  void note_usage(const WorkerUsage &usage);
  void explain_attempt(WorkerId worker, const std::string &was, const std::string &better);
  void check_end();
  void end();
  // All has ended, and the verdict is on its way to the ledger.
  [[nodiscard]] bool is_ending() const {
    return job_.state() != JobState::Running && stored_.state == JobState::Running && failure_.empty();
  }
  void sample_rate();
  // job_entry_shares.cc: idle workers take from stragglers.
  [[nodiscard]] bool may_split() const;
  void ask_for_shares();
  [[nodiscard]] std::int64_t hands_free() const;
  [[nodiscard]] std::vector<Straggler> stragglers();
  void look_at(Straggler &straggler) const;
  void lease_cut(Slot &slot, const LeaseCut &given);
  [[nodiscard]] std::optional<std::int64_t> slice_begun(const Slot &slot, const WorkerPart &page) const;
  // The lease with the worker that this position lies in, or null.
  [[nodiscard]] const Held *held_at(WorkerId worker, std::int64_t position) const;
  [[nodiscard]] JobSettings settings() const;
  [[nodiscard]] std::int64_t positions_in_work() const;
  void protocol_error(Slot &slot, const std::string &what);

  StoredJob stored_;
  std::optional<StoreStep> create_;  // what the ledger is yet to be told
  bool creating_ = false;
  Job job_;
  LeaseSize lease_size_;
  CodeOrData code_or_data_;
  TimerQueue::Timer due_;
  TimerQueue::Timer again_;               // somebody may be handed out what could not be just now
  std::optional<TimePoint> quiet_until_;  // a slice that may kill the host waits for it
  TimerQueue::Timer share_;               // somebody may straggle by then
  TimePoint shares_looked_{};
  std::unordered_map<WorkerId, std::deque<Held>> held_leases_;
  std::int64_t helpers_ = 0;  // shares that were asked for and are about to come: each is work for one more
  std::unordered_map<WorkerId, Noted> noted_;
  std::vector<WorkerId> owing_;                                 // of those in noted_, some of which may have left
  std::vector<Attempt> new_attempts_;                           // for the next transaction
  std::unordered_map<WorkerId, Attempt> unexplained_attempts_;  // of crashes whose place is still looked for
  StoreBatch left_;                                             // by slices that have ended, for it as well
  std::map<std::string, std::int64_t> left_counters_;           // … what they counted
  bool slices_wait_ = false;                                    // for the transaction under way, to have the next one
  bool committing_slices_ = false;
  std::int64_t commits_ = 0;  // on their way to the disk
  // Crashes whose place is still looked for, and the slice each was in; the verdict waits, so that it can tell it.
  std::unordered_map<WorkerId, std::optional<std::int64_t>> unexplained_;
  std::unordered_map<WorkerId, IsolatedRecord> unexplained_records_;  // … that were isolated for it
  std::string no_room_;       // in its output, in words; empty: nobody has met that
  bool ending_ = false;       // the verdict is on its way to the ledger, if the files are there
  bool out_of_step_ = false;  // the ledger refused something: only a start of the host knows where the job stands
  TimePoint sampled_{};
  std::int64_t sampled_positions_ = 0;
  double rate_ = 0;
};

}  // namespace hostler
