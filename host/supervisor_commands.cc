// What people ask of entries: start, stop, restart, scale. What an operator has stopped is marked in the ledger and stays
// stopped, whatever is reloaded and whoever is started, until somebody starts it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "job_entry.h"
#include "supervisor.h"

namespace hostler {

Result<std::vector<EntryPlan>> Supervisor::apply_named(Prepared prepared, const ReloadOptions &options) {
  if (stopping_) return fail("", "the host is stopping");
  auto plans = plan_reload(prepared, options);
  if (!plans) return plans;
  std::vector<EntryPlan> done;
  for (const EntryPlan &plan : *plans) {
    if (plan.action != EntryAction::Fresh && plan.action != EntryAction::Resume) continue;
    const auto *names = plan.action == EntryAction::Fresh ? &options.fresh : &options.resume;
    if (std::find(names->begin(), names->end(), plan.name) == names->end()) continue;
    for (PreparedEntry &entry : prepared.entries)
      if (entry.config.name == plan.name) carry_out(plan, &entry);
    log_(LogLevel::Info, fmt::format("{}: {}: {}", plan.name, name(plan.action), plan.words));
    done.push_back(plan);
  }
  around_.changed();
  return done;
}

OperatorTarget Supervisor::target(const std::string &name) const {
  OperatorTarget target;
  target.stopped = halted_.contains(name);
  if (const auto found = entries_.find(name); found != entries_.end() && !arrivals_.contains(name))
    target.cannot_start = found->second->cannot_start();
  return target;
}

Result<std::vector<std::string>> Supervisor::command(const OperatorCommand &command) {
  if (stopping_) return fail("", "the host is stopping");
  std::vector<std::pair<std::string, OperatorTarget>> known;
  for (const std::string &name : order_)
    if (entries_.contains(name) || arrivals_.contains(name)) known.emplace_back(name, target(name));
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
      set_stopped(name, false);
      if (entry != nullptr) entry->start_by_hand();
      break;
    case OperatorVerb::Stop:
      set_stopped(name, true);
      if (entry != nullptr) entry->stop_by_hand();
      break;
    case OperatorVerb::Restart:
      if (entry != nullptr) entry->restart_by_hand();
      break;
    case OperatorVerb::Scale: {
      const auto arrival = arrivals_.find(name);
      const EntryConfig &config = entry != nullptr ? entry->config() : arrival->second.prepared.config;
      scales_[name] = {command.count, config.count};
      if (entry != nullptr) entry->scale(command.count);
      break;
    }
  }
}

// At once for this host; for the next one as soon as the ledger has it.
void Supervisor::set_stopped(const std::string &name, bool stopped) {
  if (halted_.contains(name) == stopped) return;
  if (stopped)
    halted_.insert(name);
  else
    halted_.erase(name);
  ++marking_[name];
  around_.store.commit({SetStopped{name, stopped}}, [this, name](const Result<void> &done) {
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
  status.stopped = halted_.contains(status.name);
  if (status.stopped && entry.cannot_start().empty()) status.reason = "stopped by operator";
  return status;
}

std::optional<OperatorOutcome> Supervisor::outcome_of(OperatorVerb verb, const std::string &name) const {
  if (marking_.contains(name)) return std::nullopt;
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (retiring_.contains(name) || arrivals_.contains(name)) return std::nullopt;
    return OperatorOutcome{verb == OperatorVerb::Stop, true, name + ": is gone from the file"};
  }
  const Entry &entry = *found->second;
  if (!is_at_rest(verb, entry)) return std::nullopt;
  OperatorOutcome result = outcome(verb, status_of(entry));
  if (const auto unmarked = unmarked_.find(name); unmarked != unmarked_.end()) {
    result.ok = false;
    result.words += "; " + unmarked->second;
  }
  return result;
}

// One that waits for others is at rest when nothing of theirs is under way.
bool Supervisor::is_at_rest(OperatorVerb verb, const Entry &entry) const {
  if (verb == OperatorVerb::Stop) return entry.is_quiet();
  if (entry.has_failed()) return true;
  if (!entry.is_calm()) return false;
  return entry.is_wanted() || std::all_of(entry.config().depends_on.begin(), entry.config().depends_on.end(),
                                          [this](const std::string &other) {
                                            const auto found = entries_.find(other);
                                            return found == entries_.end() || found->second->is_calm();
                                          });
}

}  // namespace hostler
