// What a reload makes of the entries that run: planned first, and all or nothing; an entry whose former self still has
// workers arrives when they are gone.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "job_entry.h"
#include "service.h"
#include "supervisor.h"

namespace hostler {
namespace {

std::string in_words(const ReloadPlan &plans) {
  std::string words = plans.host.empty() ? "" : "host: " + plans.host;
  for (const EntryPlan &plan : plans.entries)
    if (plan.action != EntryAction::Keep)
      words += fmt::format("{}{} {} ({})", words.empty() ? "" : "; ", name(plan.action), plan.name, plan.words);
  return words.empty() ? "nothing to change" : words;
}

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

Result<ReloadPlan> Supervisor::plan_reload(const Prepared &prepared, const ReloadOptions &options) const {
  auto plans = plan(current(), planned(), prepared.entries, options);
  if (!plans) return tl::unexpected(plans.error());
  for (EntryPlan &each : *plans) {
    if (each.action != EntryAction::Resume && each.action != EntryAction::Hold) continue;
    const auto wanted = std::find_if(prepared.entries.begin(), prepared.entries.end(),
                                     [&](const PreparedEntry &entry) { return entry.config.name == each.name; });
    const auto possible = can_resume(*wanted);
    each.resumable = possible || possible.error().may_pass;
    if (possible || each.action == EntryAction::Hold) continue;
    const bool asked_for = std::find(options.resume.begin(), options.resume.end(), each.name) != options.resume.end();
    if (asked_for) {
      const Error &error = possible.error();
      return tl::unexpected(
          Error{wanted->config.where, fmt::format("{}: {}", each.name, error.what), error.hint, error.may_pass});
    }
    // The file's wish alone: no reason to keep the others from what they are to become.
    each.action = EntryAction::Hold;
    each.words += "; " + possible.error().what;
  }
  return ReloadPlan{host_ ? host_changes(*host_, prepared.host) : "", std::move(*plans)};
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
  if (!stored.to_place.empty())
    return tl::unexpected(
        Error{"", "cannot resume yet: files of slices that are done wait for their places, for room maybe",
              "make room, start the job and resume it then", true});
  return {};
}

Result<ReloadPlan> Supervisor::preview(const Prepared &prepared, const ReloadOptions &options) const {
  return plan_reload(prepared, options);
}

Result<ReloadPlan> Supervisor::apply(Prepared &&prepared, const ReloadOptions &options) {
  if (stopping_) return fail("", "the host is stopping");
  auto plans = plan_reload(prepared, options);
  if (!plans) {
    reject(plans.error());
    return plans;
  }
  host_ = prepared.host;
  around_.umask = prepared.host.umask;
  order_.clear();
  for (std::size_t i = 0; i < plans->entries.size(); ++i) {  // in the order of the entries, then what is to go
    const EntryPlan &plan = plans->entries[i];
    PreparedEntry *wanted = i < prepared.entries.size() ? &prepared.entries[i] : nullptr;
    if (wanted != nullptr) order_.push_back(plan.name);
    if (const auto scale = scales_.find(plan.name);
        scale != scales_.end() && (wanted == nullptr || wanted->config.count != scale->second.instead_of))
      scales_.erase(scale);
    carry_out(plan, wanted);
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
  if (auto *job = dynamic_cast<JobEntry *>(node.mapped().get())) job->keep_plan();
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
      for (DiedIn &death : job.died_in) death.in_run = false;  // its row begins anew
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

}  // namespace hostler
