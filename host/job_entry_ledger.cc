// What the ledger is told of a job, in the order in which it happened, and what waits for it to be durable.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "job_entry.h"

namespace hostler {

// Why the job cannot take these counters on top of its own, or empty.
std::string JobEntry::counter_fault(const std::map<std::string, std::int64_t> &deltas) const {
  std::size_t names = stored_.counters.size();
  for (const auto &[counter, delta] : deltas) {
    const auto known = stored_.counters.find(counter);
    std::int64_t sum = 0;
    if (known == stored_.counters.end()) {
      ++names;
    } else if (__builtin_add_overflow(known->second, delta, &sum)) {
      return fmt::format("the counter {} would leave the range of 64 bits", counter);
    }
  }
  return names <= kMaxCounters ? "" : fmt::format("the job would have more than {} counters", kMaxCounters);
}

// What the slice leaves goes into the transaction that makes it done; an attempt without success leaves nothing.
void JobEntry::record(const SliceEnded &ended, const Judgement &judgement) {
  StoreBatch &batch = left_;
  end_checkpoints(batch);
  if (judgement.verdict != Verdict::Done) {
    const auto checkpoint = job_.checkpoint_of(ended.slice.begin);
    const bool goes_on = checkpoint && checkpoint->attempt_dir == ended.attempt_dir;
    if (!ended.attempt_dir.empty() && !goes_on) batch.push_back(DropAttempt{ended.attempt_dir});
    return;
  }
  const bool merge = ended.slice.begin == job_.manifest().positions();
  const SliceSpan span = merge ? SliceSpan{} : job_.manifest().slice_at(ended.slice.begin, ended.slice);
  if (ended.has_result) batch.push_back(PutResult{name(), span.input, span.begin, span.end, merge, ended.result});
  if (merge && !ended.counters.empty()) batch.push_back(AddCounters{name(), ended.counters, merge});
  if (!ended.skipped.empty()) batch.push_back(PutAside{name(), span.input, span.begin, ended.skipped});
  add(ended.counters);
  for (const auto &[key, delta] : ended.counters) {
    std::int64_t &total = (merge ? stored_.merge_counters : left_counters_)[key];
    total = saturating_add(total, delta);
  }
  if (!ended.files.empty())
    batch.push_back(
        MoveFiles{name(), ended.slice, span.input, span.begin, span.end, merge, ended.attempt_dir, ended.files});
  else if (!ended.attempt_dir.empty())
    batch.push_back(DropAttempt{ended.attempt_dir});
}

void JobEntry::add(const std::map<std::string, std::int64_t> &deltas) {
  for (const auto &[key, delta] : deltas) stored_.counters[key] = saturating_add(stored_.counters[key], delta);
}

void JobEntry::end_checkpoints(StoreBatch &batch) {
  for (const CheckpointEnd &end : job_.take_checkpoint_ends()) {
    const SliceSpan slice = job_.manifest().slice_from(end.begin);
    batch.push_back(EndCheckpoint{name(), slice.input, slice.begin, end.taken_back});
    if (!end.taken_back) continue;
    if (!end.checkpoint->attempt_dir.empty()) batch.push_back(DropAttempt{end.checkpoint->attempt_dir});
    for (const auto &[key, total] : end.checkpoint->counters) stored_.counters[key] -= total;
  }
}

StoreBatch JobEntry::take_changes(StoreBatch besides) {
  StoreBatch batch = std::exchange(left_, {});
  if (!left_counters_.empty()) batch.push_back(AddCounters{name(), std::exchange(left_counters_, {}), false});
  slices_wait_ = false;
  PutRows rows{name(), job_.take_changes(), take_attempts()};
  if (!rows.deltas.empty() || !rows.attempts.empty()) batch.push_back(std::move(rows));
  std::ranges::move(besides, std::back_inserter(batch));
  end_checkpoints(batch);
  return batch;
}

void JobEntry::commit(StoreBatch batch, std::function<void()> then, std::function<void()> otherwise) {
  ++commits_;
  around_.store.commit(std::move(batch),
                       [this, then = std::move(then), otherwise = std::move(otherwise)](Result<void> done) {
                         --commits_;
                         if (!done) {
                           if (otherwise) otherwise();
                           creating_ = false;
                           if (!create_) out_of_step_ = true;  // what did not even begin can begin again
                           fail_entry(done.error().text());
                         } else {
                           then();
                         }
                         around_.changed();
                       });
}

void JobEntry::commit_changes(StoreBatch besides) {
  StoreBatch batch = take_changes(std::move(besides));
  if (!batch.empty()) commit(std::move(batch), [this] { check_end(); });
}

// Small slices end faster than the disk commits: what ends while one transaction is on its way is one batch, whose rows,
// counters and completion are made once.
void JobEntry::commit_slices() {
  slices_wait_ = true;
  if (committing_slices_) return;
  committing_slices_ = true;
  const auto next = [this] {
    committing_slices_ = false;
    if (slices_wait_) commit_slices();
  };
  commit(
      take_changes(),
      [this, next] {
        next();
        check_end();
      },
      next);
}

// Once its files are in their places the slice is done.
void JobEntry::commit_moves(Interval slice, StoreBatch besides) {
  commit(take_changes(std::move(besides)), [this, slice] {
    job_.committed(slice);
    commit_changes();
    want_workers();
  });
}

}  // namespace hostler
