#include "core/operator_command.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/suggest.h"

namespace hostler {
namespace {

constexpr std::int32_t kMostScaledTo = 100'000;

constexpr std::array<std::pair<OperatorVerb, std::string_view>, 8> kVerbs{{{OperatorVerb::Start, "start"},
                                                                           {OperatorVerb::Stop, "stop"},
                                                                           {OperatorVerb::Restart, "restart"},
                                                                           {OperatorVerb::Scale, "scale"},
                                                                           {OperatorVerb::Pause, "pause"},
                                                                           {OperatorVerb::Resume, "resume"},
                                                                           {OperatorVerb::Cancel, "cancel"},
                                                                           {OperatorVerb::Retry, "retry"}}};

bool is_for_jobs(OperatorVerb verb) {
  switch (verb) {
    case OperatorVerb::Pause:
    case OperatorVerb::Resume:
    case OperatorVerb::Cancel:
    case OperatorVerb::Retry: return true;
    case OperatorVerb::Start:
    case OperatorVerb::Stop:
    case OperatorVerb::Restart:
    case OperatorVerb::Scale: break;
  }
  return false;
}

// Why this entry cannot do that, with what to do about it; or nothing.
std::optional<Error> refusal(OperatorVerb verb, const std::string &name, const OperatorTarget &target) {
  if (is_for_jobs(verb) && !target.is_job)
    return Error{name, fmt::format("is a service, and only jobs {}", hostler::name(verb)), {}};
  if (verb == OperatorVerb::Retry) return target.cannot_retry;
  if (!target.cannot_start.empty()) return Error{name, target.cannot_start, {}};
  const Error stopped{name, "was stopped by an operator", "hostler start " + name};
  const Error paused{name, "is paused", "hostler resume " + name};
  const bool is_stopped = target.halt == Halt::Stopped;
  const bool is_paused = target.halt == Halt::Paused;
  switch (verb) {
    case OperatorVerb::Restart:
      if (is_stopped) return stopped;
      if (is_paused) return paused;
      break;
    case OperatorVerb::Pause:
      if (is_stopped) return stopped;
      break;
    case OperatorVerb::Resume:
      if (is_stopped) return stopped;
      if (!is_paused) return Error{name, "is not paused", {}};
      break;
    case OperatorVerb::Start:
    case OperatorVerb::Stop:
    case OperatorVerb::Scale:
    case OperatorVerb::Cancel:
    case OperatorVerb::Retry: break;
  }
  return std::nullopt;
}

tl::unexpected<Error> unknown(const std::string &name,
                              const std::vector<std::pair<std::string, OperatorTarget>> &known) {
  std::vector<std::string_view> names;
  names.reserve(known.size());
  for (const auto &[each, target] : known) names.push_back(each);
  const auto near = nearest(name, names);
  return fail(
      name, "no entry has this name",
      near ? fmt::format("did you mean {}?", *near) : "hostler status shows them; a new one needs a reload first");
}

}  // namespace

std::string_view name(OperatorVerb verb) {
  for (const auto &[each, text] : kVerbs)
    if (each == verb) return text;
  return "";
}

std::optional<OperatorVerb> operator_verb_from_name(std::string_view text) {
  for (const auto &[verb, known] : kVerbs)
    if (known == text) return verb;
  return std::nullopt;
}

Result<std::vector<std::string>> targets(const OperatorCommand &command,
                                         const std::vector<std::pair<std::string, OperatorTarget>> &known) {
  const std::string_view verb = name(command.verb);
  if (command.all && !command.names.empty())
    return fail("", fmt::format("{} was given names and all", verb), "leave one of them out");
  if (!command.all && command.names.empty())
    return fail("", fmt::format("{} takes names, or --all", verb), fmt::format("hostler {} NAME", verb));
  if (command.verb == OperatorVerb::Scale && (command.count < 1 || command.count > kMostScaledTo))
    return fail("", fmt::format("{} is no number of workers", command.count),
                fmt::format("from 1 to {}; hostler stop NAME leaves none", kMostScaledTo));
  if (!command.slices.empty() && command.names.size() != 1)
    return fail("", fmt::format("{} takes slices of one job", verb), fmt::format("hostler {} NAME SLICE", verb));
  std::vector<std::string> meant;
  if (command.all) {
    for (const auto &[each, target] : known)
      if (!refusal(command.verb, each, target)) meant.push_back(each);
    return meant;
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string &each : command.names) {
    const auto found = std::ranges::find(known, each, &std::pair<std::string, OperatorTarget>::first);
    if (found == known.end()) return unknown(each, known);
    if (auto refused = refusal(command.verb, each, found->second)) return tl::unexpected<Error>(std::move(*refused));
    if (seen.insert(each).second) meant.push_back(each);
  }
  return meant;
}

OperatorOutcome outcome(OperatorVerb verb, const EntryStatus &entry) {
  const auto up = std::ranges::count_if(entry.workers, [](const WorkerStatus &worker) { return worker.pid != 0; });
  const auto ailing = std::ranges::find_if(
      entry.workers, [](const WorkerStatus &worker) { return worker.state == "failed" || worker.state == "backoff"; });
  OperatorOutcome outcome{true, true, fmt::format("{}: {}", entry.name, entry.state)};
  if (up != 0) outcome.words += ", " + counted(up, "worker");
  if (!entry.reason.empty()) outcome.words += "; " + entry.reason;
  if (verb == OperatorVerb::Resume && entry.state == "stopping")
    outcome.words += "; goes on when what is in work has ended";
  if (verb == OperatorVerb::Stop || verb == OperatorVerb::Pause || verb == OperatorVerb::Cancel) return outcome;
  if (ailing != entry.workers.end()) {
    const std::string about = fmt::format("{}/{}: {}", entry.name, ailing->instance, ailing->note);
    if (about != entry.reason) outcome.words += "; " + about;
    if (!ailing->last_exit.text.empty() && ailing->note.find(ailing->last_exit.text) == std::string::npos)
      outcome.words += "; last: " + ailing->last_exit.text;
  }
  outcome.certain = entry.kind == "job" || std::ranges::all_of(entry.workers, [](const WorkerStatus &worker) {
                      return worker.pid == 0 || worker.ready;
                    });
  outcome.ok = ailing == entry.workers.end() && entry.state != "failed";
  return outcome;
}

}  // namespace hostler
