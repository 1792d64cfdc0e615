// What people ask of entries: start, stop, restart, scale; of jobs also pause, resume, cancel and retry. What an operator
// has stopped or paused is marked in the ledger and stays so, whatever is reloaded and whoever is started, until somebody
// starts or resumes it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/slice_range.h"
#include "job_entry.h"
#include "supervisor.h"

namespace hostler {
namespace {

Result<std::vector<std::int64_t>> positions_of(const Manifest &plan, const std::string &job,
                                               const std::vector<std::string> &slices) {
  std::vector<std::int64_t> positions;
  for (const std::string &slice : slices) {
    const auto position = position_of(plan, job, slice);
    if (!position) return tl::unexpected(position.error());
    positions.push_back(*position);
  }
  return positions;
}

}  // namespace

Result<ReloadPlan> Supervisor::apply_named(Prepared prepared, const ReloadOptions &options) {
  if (stopping_) return fail("", "the host is stopping");
  auto plans = plan_reload(prepared, options);
  if (!plans) return plans;
  ReloadPlan done;
  for (const EntryPlan &plan : plans->entries) {
    if (plan.action != EntryAction::Fresh && plan.action != EntryAction::Resume) continue;
    const auto *names = plan.action == EntryAction::Fresh ? &options.fresh : &options.resume;
    if (std::find(names->begin(), names->end(), plan.name) == names->end()) continue;
    for (PreparedEntry &entry : prepared.entries)
      if (entry.config.name == plan.name) carry_out(plan, &entry);
    log_(LogLevel::Info, fmt::format("{}: {}: {}", plan.name, name(plan.action), plan.words));
    done.entries.push_back(plan);
  }
  around_.changed();
  return done;
}

ReloadPlan Supervisor::apply_builds(const Prepared &prepared, const std::vector<std::string> &names) {
  ReloadPlan done;
  for (const PreparedEntry &wanted : prepared.entries) {
    const std::string &name = wanted.config.name;
    JobEntry *job = job_entry(name);
    if (job == nullptr || std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (wanted.build == job->build()) continue;
    done.entries.push_back(
        {name, EntryAction::Replace,
         fmt::format("plugin {} → {}", job->build().hash.substr(0, 12), wanted.build.hash.substr(0, 12))});
    log_(LogLevel::Info, fmt::format("{}: {}", name, done.entries.back().words));
    PreparedEntry changed = job->prepared();
    changed.build = wanted.build;
    job->update(std::move(changed), true);
  }
  around_.changed();
  return done;
}

JobEntry *Supervisor::job_entry(const std::string &name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() || arrivals_.contains(name) ? nullptr : dynamic_cast<JobEntry *>(found->second.get());
}

Halt Supervisor::halt_of(const std::string &name) const {
  const auto found = halted_.find(name);
  return found == halted_.end() ? Halt::None : found->second;
}

OperatorTarget Supervisor::target(const OperatorCommand &command, const std::string &name) const {
  OperatorTarget target;
  target.halt = halt_of(name);
  if (const auto arrival = arrivals_.find(name); arrival != arrivals_.end()) {
    target.is_job = arrival->second.prepared.config.is_job();
    if (target.is_job) target.cannot_retry = Error{name, "is just beginning", "try again in a moment"};
    return target;
  }
  const Entry &entry = *entries_.at(name);
  target.is_job = entry.config().is_job();
  target.cannot_start = entry.cannot_start();
  const auto *job = dynamic_cast<const JobEntry *>(&entry);
  if (job == nullptr || command.verb != OperatorVerb::Retry) return target;
  if (!command.all && std::find(command.names.begin(), command.names.end(), name) == command.names.end()) return target;
  const auto positions = positions_of(job->planned().manifest, name, command.slices);
  const Result<void> can = positions ? job->can_retry(*positions) : Result<void>(tl::unexpected(positions.error()));
  if (!can) target.cannot_retry = can.error();
  return target;
}

Result<std::vector<std::string>> Supervisor::command(const OperatorCommand &command) {
  if (stopping_) return fail("", "the host is stopping");
  std::vector<std::pair<std::string, OperatorTarget>> known;
  for (const std::string &name : order_)
    if (entries_.contains(name) || arrivals_.contains(name)) known.emplace_back(name, target(command, name));
  auto names = targets(command, known);
  if (!names) return names;
  for (const std::string &name : *names) obey(command, name);
  around_.changed();
  return names;
}

void Supervisor::obey(const OperatorCommand &command, const std::string &name) {
  const auto found = entries_.find(name);
  Entry *entry = found == entries_.end() ? nullptr : found->second.get();
  log_(LogLevel::Info, fmt::format("{}: {} by an operator{}", name, hostler::name(command.verb),
                                   command.verb == OperatorVerb::Scale ? fmt::format(", to {}", command.count) : ""));
  switch (command.verb) {
    case OperatorVerb::Start:
    case OperatorVerb::Resume:
      set_halt(name, Halt::None);
      if (entry != nullptr) entry->start_by_hand();
      break;
    case OperatorVerb::Stop:
      set_halt(name, Halt::Stopped);
      if (entry != nullptr) entry->stop_by_hand();
      break;
    case OperatorVerb::Pause:
      set_halt(name, Halt::Paused);
      if (entry != nullptr) entry->pause();
      break;
    case OperatorVerb::Restart:
      if (entry != nullptr) entry->restart_by_hand();
      break;
    case OperatorVerb::Scale: scale(name, command.count); break;
    case OperatorVerb::Cancel:
      set_halt(name, Halt::None);
      if (JobEntry *job = job_entry(name)) job->cancel_by_hand();
      break;
    case OperatorVerb::Retry:
      if (JobEntry *job = job_entry(name)) retry(*job, command.slices);
      break;
  }
}

void Supervisor::scale(const std::string &name, std::int32_t count) {
  const auto found = entries_.find(name);
  const auto arrival = arrivals_.find(name);
  const EntryConfig &config = found != entries_.end() ? found->second->config() : arrival->second.prepared.config;
  scales_[name] = {count, config.count};
  if (found != entries_.end()) found->second->scale(count);
}

// target() has looked whether it can be. A job that has ended goes on by that, also one that was stopped before it had.
void Supervisor::retry(JobEntry &job, const std::vector<std::string> &slices) {
  const auto positions = positions_of(job.planned().manifest, job.name(), slices);
  if (!positions) return;
  if (!job.cannot_start().empty()) set_halt(job.name(), Halt::None);
  const auto retried = job.retry(*positions);
  retried_[job.name()] = retried.value_or(0);
  note_marked(job.name(), {});  // told once the ledger has it
}

// At once for this host; for the next one as soon as the ledger has it.
void Supervisor::set_halt(const std::string &name, Halt halt) {
  if (halt_of(name) == halt) return;
  if (halt == Halt::None)
    halted_.erase(name);
  else
    halted_[name] = halt;
  note_marked(name, {SetHalt{name, halt}});
}

void Supervisor::note_marked(const std::string &name, StoreBatch batch) {
  ++marking_[name];
  around_.store.commit(std::move(batch), [this, name](const Result<void> &done) {
    if (--marking_[name] == 0) marking_.erase(name);
    if (done) {
      unmarked_.erase(name);
    } else {
      unmarked_[name] = "the next host will not know of it: " + done.error().text();
      log_(LogLevel::Error, fmt::format("{}: {}", name, unmarked_[name]));
    }
    around_.changed();
  });
}

EntryStatus Supervisor::status_of(const Entry &entry) const {
  EntryStatus status = entry.status();
  const Halt halt = halt_of(status.name);
  status.stopped = halt == Halt::Stopped;
  if (halt == Halt::None || !entry.cannot_start().empty()) return status;
  if (halt == Halt::Paused && entry.has_failed()) return status;
  if (halt == Halt::Paused) status.state = "paused";
  status.reason = halt == Halt::Paused ? "paused by operator" : "stopped by operator";
  return status;
}

std::optional<OperatorOutcome> Supervisor::outcome_of(OperatorVerb verb, const std::string &name) {
  if (marking_.contains(name)) return std::nullopt;
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (retiring_.contains(name) || arrivals_.contains(name)) return std::nullopt;
    return OperatorOutcome{verb == OperatorVerb::Stop, true, name + ": is gone from the file"};
  }
  const Entry &entry = *found->second;
  if (!is_at_rest(verb, entry)) return std::nullopt;
  OperatorOutcome result = outcome(verb, status_of(entry));
  if (auto retried = retried_.extract(name); verb == OperatorVerb::Retry && !retried.empty())
    result.words += fmt::format("; {} again", counted(retried.mapped(), "slice is tried", "slices are tried"));
  if (verb == OperatorVerb::Stop && halt_of(name) != Halt::Stopped) {
    result.ok = false;
    result.words += "; another order came meanwhile";
  }
  const bool was_to_run = verb != OperatorVerb::Stop && verb != OperatorVerb::Pause && verb != OperatorVerb::Cancel;
  if (stopping_ && was_to_run && entry.cannot_start().empty()) {
    result.ok = false;
    result.words += "; the host is stopping";
  }
  if (const auto unmarked = unmarked_.find(name); unmarked != unmarked_.end()) {
    result.ok = false;
    result.words += "; " + unmarked->second;
  }
  return result;
}

// One that waits for others is at rest when nothing of theirs is under way. What is paused, or was, may work for hours
// yet. A stop that somebody has taken back meanwhile comes to rest like the start that did.
bool Supervisor::is_at_rest(OperatorVerb verb, const Entry &entry) const {
  if (verb == OperatorVerb::Stop && halt_of(entry.name()) == Halt::Stopped) return entry.is_quiet();
  if (verb == OperatorVerb::Cancel) return entry.is_quiet() && !entry.cannot_start().empty();
  if (verb == OperatorVerb::Pause || entry.has_failed()) return true;
  if (halt_of(entry.name()) != Halt::None) return true;
  if (verb == OperatorVerb::Resume && entry.is_draining()) return true;
  if (!entry.is_calm()) return false;
  return entry.is_wanted() || std::all_of(entry.config().depends_on.begin(), entry.config().depends_on.end(),
                                          [this](const std::string &other) {
                                            const auto found = entries_.find(other);
                                            return found == entries_.end() || found->second->is_calm();
                                          });
}

}  // namespace hostler
