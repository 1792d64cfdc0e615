#include "fakes/memory_store.h"

#include <algorithm>
#include <utility>

#include "core/plan.h"

namespace hostler {

using std::chrono::milliseconds;

void MemoryStore::commit(StoreBatch batch, Done done) {
  ++batches_;
  if (stalled_) return;
  system_.at(system_.now() + milliseconds(1), [this, batch = std::move(batch), done = std::move(done), life = life_] {
    if (life != life_) return;
    if (!failing_.empty()) return done(fail("ledger", failing_));
    for (const StoreStep &step : batch) apply(step);
    done({});
  });
}

void MemoryStore::apply(const StoreStep &step) {
  if (const auto *create = std::get_if<CreateJob>(&step)) {
    jobs_[create->job->name] = *create->job;
    rows_[create->job->name].clear();
    attempts_[create->job->name].clear();
    results_[create->job->name].clear();
    checkpoints_[create->job->name].clear();
    asides_[create->job->name].clear();
  } else if (const auto *replan = std::get_if<ReplanJob>(&step)) {
    jobs_[replan->job->name] = *replan->job;
    rows_[replan->job->name].clear();
    for (const SliceRow &row : replan->job->rows) rows_[replan->job->name][row.begin] = row;
    replan_checkpoints(*replan->job);
  } else if (const auto *put = std::get_if<PutRows>(&step)) {
    for (const RowDelta &delta : put->deltas) {
      if (delta.erase) rows_[put->job].erase(*delta.erase);
      if (delta.put) rows_[put->job][delta.put->begin] = *delta.put;
    }
    for (const Attempt &attempt : put->attempts) {
      attempts_[put->job][attempt.seq] = attempt;
      jobs_[put->job].attempts_noted = std::max(jobs_[put->job].attempts_noted, attempt.seq);
      jobs_[put->job].last_build = attempt.build->hash;
    }
  } else if (const auto *result = std::get_if<PutResult>(&step)) {
    results_[result->job][result->merge ? -1 : result->begin] = result->data;
  } else if (const auto *counters = std::get_if<AddCounters>(&step)) {
    StoredJob &job = jobs_[counters->job];
    for (const auto &[key, delta] : counters->deltas) {
      job.counters[key] += delta;
      if (counters->merge) job.merge_counters[key] += delta;
    }
  } else if (const auto *aside = std::get_if<PutAside>(&step)) {
    auto &kept = asides_[aside->job][{aside->input, aside->begin}];
    kept.insert(kept.end(), aside->records.begin(), aside->records.end());
  } else if (const auto *segment = std::get_if<PutCheckpoint>(&step)) {
    checkpoints_[segment->job][{segment->input, segment->begin}] = {segment->global, segment->checkpoint,
                                                                    segment->data};
  } else if (const auto *ended = std::get_if<EndCheckpoint>(&step)) {
    end_checkpoint(ended->job, {ended->input, ended->begin}, ended->take_back);
  } else if (const auto *state = std::get_if<SetJobState>(&step)) {
    jobs_[state->job].state = state->state;
    jobs_[state->job].reason = state->reason;
  } else if (const auto *reopen = std::get_if<ReopenJob>(&step)) {
    StoredJob &job = jobs_[reopen->job];
    job.state = JobState::Running;
    job.reason.clear();
    for (const auto &[key, total] : std::exchange(job.merge_counters, {})) job.counters[key] -= total;
    results_[reopen->job].erase(-1);
  } else if (const auto *isolated = std::get_if<PutIsolated>(&step)) {
    IsolatedRecord &known = isolated_[isolated->job][isolated->record.at.begin];
    if (isolated->record.bytes) known = isolated->record;
    if (isolated->record.backtrace) known.backtrace = isolated->record.backtrace;
  } else if (const auto *usage = std::get_if<PutUsage>(&step)) {
    jobs_[usage->job].usage = usage->usage;
  } else if (const auto *mark = std::get_if<SetHalt>(&step)) {
    if (mark->halt != Halt::None)
      halted_[mark->entry] = mark->halt;
    else
      halted_.erase(mark->entry);
  }
}

void MemoryStore::end_checkpoint(const std::string &job, const Place &place, bool take_back) {
  const auto node = checkpoints_[job].extract(place);
  if (node.empty() || !take_back) return;
  for (const auto &[key, total] : node.mapped().checkpoint->counters) jobs_[job].counters[key] -= total;
  asides_[job].erase(place);
}

// As the ledger does: what no row goes on with is taken back.
void MemoryStore::replan_checkpoints(const StoredJob &job) {
  std::map<Place, const SliceRow *> kept;
  for (const SliceRow &row : job.rows) {
    const SliceSpan slice = job.manifest.slice_from(row.begin);
    if (row.checkpoint) kept[{slice.input, slice.begin}] = &row;
  }
  std::vector<Place> gone;
  for (auto &[place, segments] : checkpoints_[job.name]) {
    const auto at = kept.find(place);
    if (at == kept.end()) {
      asides_[job.name].erase(place);  // the job's counters are those that it says
      gone.push_back(place);
    } else {
      segments.global = at->second->begin;
      segments.checkpoint = at->second->checkpoint;
    }
  }
  for (const Place &place : gone) checkpoints_[job.name].erase(place);
}

std::vector<Aside> MemoryStore::asides(const std::string &name) const {
  std::vector<Aside> all;
  if (const auto found = asides_.find(name); found != asides_.end())
    for (const auto &[place, records] : found->second) all.insert(all.end(), records.begin(), records.end());
  std::sort(all.begin(), all.end(), [](const Aside &a, const Aside &b) { return a.begin < b.begin; });
  return all;
}

void MemoryStore::read_checkpoint(const std::string &job, std::int32_t input, std::int64_t begin,
                                  std::function<void(Result<std::string>)> done) {
  system_.at(system_.now() + milliseconds(1), [this, job, input, begin, done = std::move(done), life = life_] {
    if (life != life_) return;
    const auto found = checkpoints_[job].find({input, begin});
    if (found == checkpoints_[job].end()) return done(fail("ledger", "has no checkpoint"));
    done(found->second.data);
  });
}

void MemoryStore::write_merge_input(const std::string &job, std::function<void(Result<std::string>)> done) {
  system_.at(system_.now() + milliseconds(1), [this, job, done = std::move(done), life = life_] {
    if (life == life_) done("/merge-input/" + job);
  });
}

void MemoryStore::check_outputs(const std::string &, Done done) {
  system_.at(system_.now() + milliseconds(1), [this, done = std::move(done), life = life_] {
    if (life != life_ || stalled_) return;
    if (lost_.empty())
      done({});
    else
      done(fail({}, lost_));
  });
}

void MemoryStore::check_inputs(std::vector<Input>, Done done) {
  system_.at(system_.now() + milliseconds(1), [this, done = std::move(done), life = life_] {
    if (life != life_) return;
    if (changed_.empty())
      done({});
    else
      done(fail("input", changed_));
  });
}

void MemoryStore::read_record(RecordQuery query, std::function<void(Result<FoundRecord>)> done) {
  const auto lines_of_ten = [](const RecordQuery &asked) -> Result<FoundRecord> {
    const std::int64_t begin = asked.at ? *asked.at / 10 * 10 : (asked.block.begin + 9) / 10 * 10;
    if (begin >= asked.block.end) return fail("input", "no line starts there");
    return FoundRecord{{begin, begin + 10}, begin + 10 >= asked.block.end, "line " + std::to_string(begin)};
  };
  system_.at(system_.now() + milliseconds(1),
             [this, query = std::move(query), done = std::move(done), lines_of_ten, life = life_] {
               if (life == life_) done(find_record ? find_record(query) : lines_of_ten(query));
             });
}

// The rows that were put have the checkpoints of their time.
SliceRow MemoryStore::with_checkpoint(const std::string &job, SliceRow row) const {
  row.checkpoint.reset();
  const auto found = checkpoints_.find(job);
  if (found == checkpoints_.end()) return row;
  for (const auto &[place, segments] : found->second)
    if (segments.global == row.begin) row.checkpoint = segments.checkpoint;
  return row;
}

std::vector<SliceRow> MemoryStore::rows(const std::string &name) const {
  std::vector<SliceRow> rows;
  if (const auto found = rows_.find(name); found != rows_.end())
    for (const auto &[begin, row] : found->second) rows.push_back(with_checkpoint(name, row));
  return rows;
}

std::vector<StoredJob> MemoryStore::load() const {
  std::vector<StoredJob> jobs;
  for (auto [name, job] : jobs_) {
    job.rows = rows(name);
    job.skipped = {};
    if (const auto found = asides_.find(name); found != asides_.end())
      for (const auto &[place, records] : found->second)
        for (const Aside &record : records) job.skipped += {1, record.end - record.begin};
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::vector<StoredJob> MemoryStore::open() {
  for (auto &[name, rows] : rows_)
    for (auto &[begin, row] : rows)
      if (row.state == SliceState::Committing) row.state = SliceState::Done;
  return load();
}

}  // namespace hostler
