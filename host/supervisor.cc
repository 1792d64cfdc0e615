#include "supervisor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "job_entry.h"
#include "service.h"

namespace hostler {
namespace {

// How long the end waits for a disk that takes nothing, once no worker is left.
constexpr Duration kLastDiskWait = std::chrono::seconds(5);

std::string_view halted_words(Halt halt) {
  switch (halt) {
    case Halt::None: break;
    case Halt::Stopped: return ", which an operator stopped";
    case Halt::Paused: return ", which is paused";
  }
  return "";
}

std::string in_words(const std::vector<EntryPlan> &plans) {
  std::string words;
  for (const EntryPlan &plan : plans)
    if (plan.action != EntryAction::Keep)
      words += fmt::format("{}{} {} ({})", words.empty() ? "" : "; ", name(plan.action), plan.name, plan.words);
  return words.empty() ? "nothing to change" : words;
}

}  // namespace

Supervisor::Supervisor(System &system, JobStore &store, LogSink log, std::vector<StoredJob> stored,
                       std::map<std::string, Halt> halted)
    : system_(system),
      log_(std::move(log)),
      timers_([this](std::optional<TimePoint> earliest) { system_.set_alarm(earliest); }),
      settle_(timers_),
      around_{system, store, timers_, log_, 027,
              [this](Entry &entry) {
                owners_[++last_worker_] = &entry;
                return last_worker_;
              },
              nullptr, [this](const Entry &entry) { return others_are_idle(entry); },
              [this](CrashCase crash) { crashes_.open(std::move(crash)); },
              // Not at once: whoever reports a change is in the middle of it.
              [this] {
                if (!settle_.is_set()) settle_.set(system_.now(), [this] { settle(); });
              }},
      crashes_(system_, log_),
      halted_(std::move(halted)),
      disk_wait_(timers_) {
  for (StoredJob &job : stored) {
    const std::string name = job.name;
    stored_.emplace(name, std::move(job));
  }
}

Supervisor::~Supervisor() = default;

CurrentEntries Supervisor::current() const {
  CurrentEntries current;
  for (const auto &[name, entry] : entries_) current.emplace_hint(current.end(), name, &entry->prepared());
  for (const auto &[name, arrival] : arrivals_) current[name] = &arrival.prepared;
  return current;
}

const StoredJob *Supervisor::stored_job(const std::string &name) const {
  for (const auto *map : {&entries_, &retiring_})
    if (const auto found = map->find(name); found != map->end())
      if (const auto *job = dynamic_cast<const JobEntry *>(found->second.get())) return &job->planned();
  const auto found = stored_.find(name);
  return found == stored_.end() ? nullptr : &found->second;
}

std::map<std::string, PlannedJob> Supervisor::planned() const {
  std::map<std::string, PlannedJob> planned;
  const auto add = [&](const std::string &name) {
    const StoredJob *job = stored_job(name);
    if (job == nullptr) return;
    const auto running = entries_.find(name);
    const bool stopped = running != entries_.end() && running->second->has_failed();
    const bool ended_short = job->state != JobState::Running && job->state != JobState::Succeeded;
    planned[name] = {job->identity, &job->manifest, stopped || ended_short, job->state != JobState::Running,
                     job->last_build};
  };
  for (const auto &[name, job] : stored_) add(name);
  for (const auto *map : {&entries_, &retiring_})
    for (const auto &[name, entry] : *map) add(name);
  // What is on its way to be made from zero or planned again counts as planned so.
  for (const auto &[name, arrival] : arrivals_)
    if (arrival.action == EntryAction::Fresh || arrival.action == EntryAction::Resume)
      planned[name] = {identity_of(arrival.prepared.config), &arrival.prepared.manifest, false};
  return planned;
}

Result<std::vector<EntryPlan>> Supervisor::plan_reload(const Prepared &prepared, const ReloadOptions &options) const {
  auto plans = plan(current(), planned(), prepared.entries, options);
  if (!plans) return plans;
  for (EntryPlan &each : *plans) {
    if (each.action != EntryAction::Resume && each.action != EntryAction::Hold) continue;
    const auto wanted = std::find_if(prepared.entries.begin(), prepared.entries.end(),
                                     [&](const PreparedEntry &entry) { return entry.config.name == each.name; });
    const auto possible = can_resume(*wanted);
    each.resumable = possible.has_value();
    if (possible || each.action == EntryAction::Hold) continue;
    const bool asked_for = std::find(options.resume.begin(), options.resume.end(), each.name) != options.resume.end();
    if (asked_for) {
      const Error &error = possible.error();
      return fail(wanted->config.where, fmt::format("{}: {}", each.name, error.what), error.hint);
    }
    // The file's wish alone: no reason to keep the others from what they are to become.
    each.action = EntryAction::Hold;
    each.words += "; " + possible.error().what;
  }
  return plans;
}

Result<void> Supervisor::can_resume(const PreparedEntry &wanted) const {
  const std::string &name = wanted.config.name;
  const auto running = entries_.find(name);
  const auto *job = running == entries_.end() ? nullptr : dynamic_cast<const JobEntry *>(running->second.get());
  const StoredJob *known = stored_job(name);
  if (known == nullptr) return {};
  const StoredJob stored = job != nullptr ? job->stored() : *known;
  if (stored.identity.output != wanted.config.output)
    return fail("",
                fmt::format("cannot resume: its output folder changed from {} to {}", stored.identity.output,
                            wanted.config.output),
                "keep the folder, or start from zero with --fresh " + name);
  if (auto resumed = resume_job(stored.manifest, stored.rows, wanted.manifest, false); !resumed)
    return tl::unexpected(resumed.error());
  return {};
}

Result<std::vector<EntryPlan>> Supervisor::preview(const Prepared &prepared, const ReloadOptions &options) const {
  return plan_reload(prepared, options);
}

Result<std::vector<EntryPlan>> Supervisor::apply(Prepared &&prepared, const ReloadOptions &options) {
  if (stopping_) return fail("", "the host is stopping");
  auto plans = plan_reload(prepared, options);
  if (!plans) {
    reject(plans.error());
    return plans;
  }
  around_.umask = prepared.host.umask;
  std::map<std::string, PreparedEntry *> wanted;
  order_.clear();
  for (PreparedEntry &entry : prepared.entries) {
    wanted[entry.config.name] = &entry;
    order_.push_back(entry.config.name);
  }
  std::erase_if(scales_, [&](const auto &scale) {
    const auto found = wanted.find(scale.first);
    return found == wanted.end() || found->second->config.count != scale.second.instead_of;
  });
  for (const EntryPlan &each : *plans) {
    const auto found = wanted.find(each.name);
    carry_out(each, found == wanted.end() ? nullptr : found->second);
  }
  for (const auto *names : {&options.fresh, &options.resume})
    for (const std::string &name : *names) set_halt(name, Halt::None);
  last_reload_ok_ = true;
  last_reload_ = "applied: " + in_words(*plans);
  log_(LogLevel::Info, "configuration " + last_reload_);
  around_.changed();
  return plans;
}

void Supervisor::reject(const Error &error) {
  last_reload_ok_ = false;
  last_reload_ = "rejected, nothing was changed: " + error.text();
  log_(LogLevel::Error, "configuration " + last_reload_);
}

void Supervisor::carry_out(const EntryPlan &plan, PreparedEntry *prepared) {
  if (arrivals_.contains(plan.name)) {
    if (prepared != nullptr) return change_arrival(plan, std::move(*prepared));
    arrivals_.erase(plan.name);
    return;
  }
  const auto running = entries_.find(plan.name);
  switch (plan.action) {
    case EntryAction::Keep:
      if (running != entries_.end()) running->second->set_held({});
      break;
    case EntryAction::Adjust:
    case EntryAction::Replace:
      running->second->set_held({});
      running->second->update(std::move(*prepared), plan.action == EntryAction::Replace);
      break;
    case EntryAction::Add: arrive(plan.name, {std::move(*prepared), plan.action, {}, false}); break;
    case EntryAction::Remove: retire(plan.name); break;
    case EntryAction::Hold:
      if (running != entries_.end())
        running->second->set_held(plan.words, plan.resumable);
      else
        arrive(plan.name, {std::move(*prepared), plan.action, plan.words, plan.resumable});
      break;
    case EntryAction::Rebuild:
    case EntryAction::Fresh:
    case EntryAction::Resume:
      if (running != entries_.end()) retire(plan.name);
      arrive(plan.name, {std::move(*prepared), plan.action, {}, false});
      break;
  }
}

// It has not begun yet, so it simply becomes what is wanted now; from zero or planned again it stays.
void Supervisor::change_arrival(const EntryPlan &plan, PreparedEntry prepared) {
  Arrival &arrival = arrivals_[plan.name];
  arrival.prepared = std::move(prepared);
  if (plan.action == EntryAction::Fresh || plan.action == EntryAction::Resume || plan.action == EntryAction::Hold)
    arrival.action = plan.action;
  arrival.held = plan.action == EntryAction::Hold ? plan.words : std::string();
  arrival.resumable = plan.resumable;
}

void Supervisor::retire(const std::string &name) {
  auto node = entries_.extract(name);
  node.mapped()->stop();
  node.mapped()->set_held({});  // whatever it was, it is on its way
  retiring_.insert(std::move(node));
}

void Supervisor::arrive(const std::string &name, Arrival arrival) {
  if (retiring_.contains(name)) {
    arrivals_.insert_or_assign(name, std::move(arrival));
    return;
  }
  std::unique_ptr<Entry> entry;
  if (arrival.prepared.config.is_job())
    entry = make_job(arrival);
  else
    entry = std::make_unique<Service>(around_, std::move(arrival.prepared));
  entry->set_held(arrival.held, arrival.resumable);
  if (const auto scale = scales_.find(name); scale != scales_.end()) entry->scale(scale->second.count);
  entries_[name] = std::move(entry);
}

namespace {

// Of the job's totals what the segments of slices have added whose checkpoints are not among those kept.
void take_back_dropped(StoredJob &job, const std::vector<SliceRow> &kept) {
  const auto add = [&job](const std::vector<SliceRow> &rows, std::int64_t sign) {
    for (const SliceRow &row : rows) {
      if (!row.checkpoint) continue;
      for (const auto &[counter, total] : row.checkpoint->counters) job.counters[counter] += sign * total;
      sign < 0 ? job.skipped -= row.checkpoint->skipped : job.skipped += row.checkpoint->skipped;
    }
  };
  add(job.rows, -1);
  add(kept, 1);
}

}  // namespace

std::unique_ptr<Entry> Supervisor::make_job(Arrival &arrival) {
  EntryConfig &config = arrival.prepared.config;
  auto node = stored_.extract(config.name);
  std::optional<StoreStep> create;
  StoredJob job;
  if (node.empty() || arrival.action == EntryAction::Fresh) {
    job.name = config.name;
    job.id = new_job_id();
    job.identity = identity_of(config);
    job.manifest = arrival.prepared.manifest;
    create = CreateJob{job};
  } else {
    job = std::move(node.mapped());
  }
  if (arrival.action == EntryAction::Resume && !create) {
    // What was saved under other parameters would be mixed with what is done under these.
    const bool same_params = job.identity.params == config.params;
    auto resumed = resume_job(job.manifest, job.rows, arrival.prepared.manifest, same_params);
    if (!resumed) {  // plan_reload() has tried it, but what was in work then is done now
      arrival.held = resumed.error().what;
      arrival.resumable = false;
      log_(LogLevel::Error, fmt::format("{}: keeps its old settings: {}", config.name, resumed.error().text()));
    } else {
      take_back_dropped(job, resumed->rows);
      job.manifest = std::move(resumed->manifest);
      job.rows = std::move(resumed->rows);
      job.died_in.clear();  // of rows that begin anew
      job.identity = identity_of(config);
      job.state = JobState::Running;
      job.reason.clear();
      for (const auto &[counter, total] : std::exchange(job.merge_counters, {})) job.counters[counter] -= total;
      create = ReplanJob{job};
    }
  }
  // A held job keeps the settings it was planned with.
  config.input = job.identity.input;
  config.output = job.identity.output;
  config.params = job.identity.params;
  return std::make_unique<JobEntry>(around_, std::move(arrival.prepared), std::move(job), std::move(create),
                                    next_lease_.emplace(config.name, 1).first->second);
}

std::string Supervisor::new_job_id() {
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", static_cast<std::uint32_t>(system_.random() * 4294967296.0));
  return id;
}

void Supervisor::stop(std::function<void()> stopped) {
  stopping_ = true;
  stopped_ = std::move(stopped);
  arrivals_.clear();
  for (auto *map : {&entries_, &retiring_})
    for (auto &[name, entry] : *map) entry->stop();
  around_.changed();
}

void Supervisor::stop_at_once(std::function<void()> stopped) {
  stop(std::move(stopped));
  waits_for_disk_ = false;
  for (auto *map : {&entries_, &retiring_})
    for (auto &[name, entry] : *map) entry->kill();
}

// Nobody but this job has something handed out.
bool Supervisor::others_are_idle(const Entry &entry) const {
  for (const auto *map : {&entries_, &retiring_})
    for (const auto &[name, other] : *map) {
      const auto *job = dynamic_cast<const JobEntry *>(other.get());
      if (job != nullptr && job != &entry && job->holds_leases()) return false;
    }
  return true;
}

void Supervisor::settle() {
  const auto *alone = dynamic_cast<const JobEntry *>(around_.alone);
  if (alone != nullptr && !alone->needs_solitude()) around_.alone = nullptr;
  sweep_retired();
  if (!stopping_) start_what_may();
  if (settled_) settled_();
  if (stopping_ && stopped_) end_when_quiet();
}

void Supervisor::end_when_quiet() {
  if (is_quiet() || (!waits_for_disk_ && !has_workers())) {
    disk_wait_.cancel();
    return std::exchange(stopped_, nullptr)();
  }
  if (has_workers() || disk_wait_.is_set()) return;
  disk_wait_.set(system_.now() + kLastDiskWait, [this] {
    waits_for_disk_ = false;
    around_.changed();
  });
}

void Supervisor::sweep_retired() {
  for (auto it = retiring_.begin(); it != retiring_.end();) {
    if (!it->second->is_quiet()) {
      ++it;
      continue;
    }
    const std::string name = it->first;
    if (const auto *job = dynamic_cast<const JobEntry *>(it->second.get())) {
      if (job->is_created()) stored_.insert_or_assign(name, job->stored());
      next_lease_[name] = job->next_lease();
    }
    it = retiring_.erase(it);
    if (auto arrival = arrivals_.extract(name); !arrival.empty()) arrive(name, std::move(arrival.mapped()));
  }
}

void Supervisor::start_what_may() {
  for (auto &[name, entry] : entries_) {
    if (entry->is_wanted() || halted_.contains(name)) continue;
    if (prerequisites_are_up(*entry)) entry->start();
  }
}

bool Supervisor::prerequisites_are_up(Entry &entry) const {
  for (const std::string &other : entry.config().depends_on) {
    const auto found = entries_.find(other);
    if (found != entries_.end() && found->second->is_up()) continue;
    const bool failed = found != entries_.end() && found->second->has_failed();
    if (failed)
      entry.set_blocked("depends on " + other + ", which has failed");
    else
      entry.set_waiting(fmt::format("waits for {}{}", other, halted_words(halt_of(other))));
    return false;
  }
  return true;
}

bool Supervisor::is_quiet() const {
  const auto quiet = [](const auto &item) { return item.second->is_quiet(); };
  return crashes_.empty() && std::all_of(entries_.begin(), entries_.end(), quiet) &&
         std::all_of(retiring_.begin(), retiring_.end(), quiet);
}

bool Supervisor::has_workers() const {
  const auto has = [](const auto &item) { return item.second->has_workers(); };
  return std::any_of(entries_.begin(), entries_.end(), has) || std::any_of(retiring_.begin(), retiring_.end(), has);
}

bool Supervisor::jobs_ended() const {
  bool any = false;
  if (!retiring_.empty() || !arrivals_.empty()) return false;
  for (const auto &[name, entry] : entries_) {
    const auto *job = dynamic_cast<const JobEntry *>(entry.get());
    if (job == nullptr) continue;
    any = true;
    if (!job->has_ended() && !(halt_of(name) == Halt::Stopped && job->is_quiet())) return false;
  }
  return any;
}

HostStatus Supervisor::status() const {
  HostStatus status;
  status.last_reload = last_reload_;
  status.last_reload_ok = last_reload_ok_;
  status.stopping = stopping_;
  status.waits_for = waits_for_;
  status.jobs_ended = jobs_ended();
  for (const std::string &name : order_)
    if (const auto found = entries_.find(name); found != entries_.end())
      status.entries.push_back(status_of(*found->second));
  for (const auto &[name, entry] : retiring_) {
    status.entries.push_back(entry->status());
    if (status.entries.back().reason.empty())
      status.entries.back().reason =
          arrivals_.contains(name) ? "makes place for its successor" : "removed from the file";
  }
  if (!waits_for_.empty())  // what was measured before says nothing now
    for (EntryStatus &entry : status.entries) {
      entry.rate = 0;
      entry.eta_seconds = -1;
    }
  return status;
}

std::string Supervisor::size_words() const {
  std::int64_t workers = 0;
  for (const auto &[name, entry] : entries_)
    if (halt_of(name) == Halt::None && entry->cannot_start().empty()) workers += entry->count();
  return fmt::format("{} worker{} of {} entr{}", workers, workers == 1 ? "" : "s", entries_.size(),
                     entries_.size() == 1 ? "y" : "ies");
}

Entry *Supervisor::owner(WorkerId worker) const {
  const auto found = owners_.find(worker);
  return found == owners_.end() ? nullptr : found->second;
}

void Supervisor::on_spawned(WorkerId worker, int pid) {
  if (Entry *entry = owner(worker)) entry->on_spawned(worker, pid);
}

void Supervisor::on_spawn_failed(WorkerId worker, const Error &error) {
  Entry *entry = owner(worker);
  owners_.erase(worker);
  if (entry != nullptr) entry->on_spawn_failed(worker, error);
}

void Supervisor::on_message(WorkerId worker, const WorkerMessage &message) {
  if (Entry *entry = owner(worker)) entry->on_message(worker, message);
}

void Supervisor::on_garbage(WorkerId worker, const Error &error) {
  if (Entry *entry = owner(worker)) entry->on_garbage(worker, error);
}

void Supervisor::on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) {
  Entry *entry = owner(worker);
  owners_.erase(worker);
  if (entry != nullptr) entry->on_exit(worker, status, page);
}

void Supervisor::on_crash(WorkerId worker, const Crash &crash) {
  if (Entry *entry = owner(worker)) entry->on_crash(worker, crash);
}

// The entry may be gone by now, or have been made anew; then only the log and the file tell.
void Supervisor::on_backtrace(WorkerId worker, const Backtrace &backtrace) {
  const auto explained = crashes_.close(worker, backtrace);
  if (explained)
    for (auto *map : {&entries_, &retiring_})
      if (const auto found = map->find(explained->crash.entry); found != map->end())
        found->second->on_explained(explained->crash, explained->site, backtrace);
  around_.changed();
}

void Supervisor::on_alarm() {
  timers_.run(system_.now());
}

}  // namespace hostler
