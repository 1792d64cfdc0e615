// A ledger in memory on the fake system's clock: every transaction takes a virtual millisecond, and a crash loses those
// that were on their way.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/job_store.h"
#include "fakes/fake_system.h"

namespace hostler {

class MemoryStore final : public JobStore {
 public:
  explicit MemoryStore(FakeSystem &system) : system_(system) {}

  void commit(StoreBatch batch, Done done) override;
  void write_merge_input(const std::string &job, std::function<void(Result<std::string>)> done) override;
  void read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin,
                       std::function<void(Result<std::string>)> done) override;
  void check_outputs(const std::string &job, Done done) override;
  void check_inputs(std::vector<Input> inputs, Done done) override;
  void read_record(RecordQuery query, std::function<void(Result<FoundRecord>)> done) override;

  // What is in it now.
  [[nodiscard]] std::vector<StoredJob> load() const;
  // A host starts on it: what is committing has its place.
  [[nodiscard]] std::vector<StoredJob> open();
  [[nodiscard]] const std::map<std::string, Halt> &halted() const { return halted_; }
  // The lines of a job's attempts, by seq.
  [[nodiscard]] const std::map<std::int64_t, Attempt> &attempts(const std::string &name) { return attempts_[name]; }
  [[nodiscard]] const StoredJob &job(const std::string &name) const { return jobs_.at(name); }
  [[nodiscard]] const StoredJob *find(const std::string &name) const {
    const auto found = jobs_.find(name);
    return found == jobs_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<SliceRow> rows(const std::string &name) const;
  // Results by global begin of the slice's local position; the merge's under -1.
  [[nodiscard]] const std::map<std::int64_t, std::string> &results(const std::string &name) { return results_[name]; }
  // Records that were isolated, by their local begin.
  [[nodiscard]] const std::map<std::int64_t, IsolatedRecord> &isolated(const std::string &name) {
    return isolated_[name];
  }
  // What is put aside, in order.
  [[nodiscard]] std::vector<Aside> asides(const std::string &name) const;
  // So many batches have been asked for.
  [[nodiscard]] std::int64_t batches() const { return batches_; }
  // Each transaction fails from now on (until given empty words).
  void fail_with(std::string words) { failing_ = std::move(words); }
  // The disk is full: nothing that is asked from now on is ever answered.
  void stall() { stalled_ = true; }
  void change_inputs(std::string words) { changed_ = std::move(words); }
  // A file that was committed is gone (until given empty words).
  void lose_output(std::string words) { lost_ = std::move(words); }
  // What read_record() finds; the default: lines of ten bytes, the first at 0.
  std::function<Result<FoundRecord>(const RecordQuery &)> find_record;
  // The host is dead: nothing under way gets through, and nobody is told.
  void crash() { ++life_; }

 private:
  void apply(const StoreStep &step);

  FakeSystem &system_;
  std::map<std::string, StoredJob> jobs_;
  std::map<std::string, std::map<std::int64_t, SliceRow>> rows_;
  std::map<std::string, std::map<std::int64_t, std::string>> results_;
  struct Segments {
    std::int64_t global = 0;
    std::shared_ptr<const Checkpoint> checkpoint;
    std::string data;
  };
  using Place = std::pair<std::int32_t, std::int64_t>;  // of a slice
  void replan_checkpoints(const StoredJob &job);
  [[nodiscard]] SliceRow with_checkpoint(const std::string &job, SliceRow row) const;
  void end_checkpoint(const std::string &job, const Place &place, bool take_back);
  std::map<std::string, std::map<Place, Segments>> checkpoints_;
  std::map<std::string, std::map<Place, std::vector<Aside>>> asides_;
  std::map<std::string, Halt> halted_;
  std::map<std::string, std::map<std::int64_t, IsolatedRecord>> isolated_;
  std::map<std::string, std::map<std::int64_t, Attempt>> attempts_;
  std::string failing_;
  std::string changed_;
  std::string lost_;
  bool stalled_ = false;
  std::int64_t batches_ = 0;
  int life_ = 0;
};

}  // namespace hostler
