#include "core/exit_status.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/on_exit.h"
#include "core/units.h"

namespace hostler {
namespace {

// The ABI's numbers (plugin.h), which core does not include.
constexpr std::int32_t kDone = 0;
constexpr std::int32_t kBadData = 65;
constexpr std::int32_t kError = 70;
constexpr std::int32_t kRetryLater = 75;
constexpr std::int32_t kBadConfig = 78;
constexpr std::int32_t kYield = 85;

constexpr std::array<std::pair<int, std::string_view>, 31> kSignals{{
    {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},   {SIGTRAP, "SIGTRAP"},
    {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},   {SIGKILL, "SIGKILL"}, {SIGUSR1, "SIGUSR1"},
    {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"}, {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"},
    {16, "SIGSTKFLT"},    {SIGCHLD, "SIGCHLD"}, {SIGCONT, "SIGCONT"}, {SIGSTOP, "SIGSTOP"}, {SIGTSTP, "SIGTSTP"},
    {SIGTTIN, "SIGTTIN"}, {SIGTTOU, "SIGTTOU"}, {SIGURG, "SIGURG"},   {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
    {26, "SIGVTALRM"},    {27, "SIGPROF"},      {28, "SIGWINCH"},     {29, "SIGIO"},        {30, "SIGPWR"},
    {31, "SIGSYS"},
}};

std::string_view returned_name(std::int32_t value) {
  switch (value) {
    case kDone: return "HOSTLER_DONE";
    case kBadData: return "HOSTLER_BAD_DATA";
    case kError: return "HOSTLER_ERROR";
    case kRetryLater: return "HOSTLER_RETRY_LATER";
    case kBadConfig: return "HOSTLER_BAD_CONFIG";
    case kYield: return "HOSTLER_YIELD";
    default: return {};  // any other number is the plugin's own
  }
}

Verdict verdict_of_returned(std::int32_t value) {
  switch (value) {
    case kDone: return Verdict::Done;
    case kBadData: return Verdict::BadData;
    case kRetryLater: return Verdict::RetryLater;
    case kBadConfig: return Verdict::BadConfig;
    case kYield: return Verdict::Yield;
    default: return Verdict::Failure;
  }
}

// "returned 70 (HOSTLER_ERROR): the plugin's words"
std::string with_reason(std::string text, const std::string &reason) {
  return reason.empty() ? std::move(text) : text + ": " + reason;
}

Judgement with_reason(Judgement judgement, const std::string &reason) {
  judgement.reason = with_reason(std::move(judgement.reason), reason);
  return judgement;
}

// " (by on_exit[0]: as BAD_DATA)"
std::string rule_words(std::int32_t rule, std::int32_t counts_as) {
  return fmt::format(" (by on_exit[{}]: as {})", rule, returned_name(counts_as));
}

// What a rule makes of it; a charged failure that stays one keeps its own name.
Judgement by_rule(std::span<const ExitRule> rules, std::optional<std::size_t> rule, Judgement by_table) {
  if (!rule) return by_table;
  const std::int32_t counted = counts_as(rules[*rule].action);
  by_table.rule = static_cast<std::int32_t>(*rule);
  by_table.reason += rule_words(by_table.rule, counted);
  const bool charged = by_table.verdict == Verdict::Crash || by_table.verdict == Verdict::OutOfMemory;
  const Verdict verdict = verdict_of_returned(counted);
  if (!charged || verdict != Verdict::Failure) by_table.verdict = verdict;
  return by_table;
}

// How far one had come that was in no call of run() or merge().
std::string_view before(const Departure &departure) {
  switch (static_cast<Stage>(departure.page.stage)) {
    case Stage::None:
    case Stage::SetUp:
    case Stage::Waiting: return " before its plugin was loaded";
    case Stage::Loading: return " while its plugin was being loaded";
    case Stage::Preparing: return " in prepare()";
    case Stage::Idle:
      if (departure.service) return " before run() was called";
      return departure.page.begun < 0 ? " before its first slice" : " between slices";
    case Stage::Running:
    case Stage::Checkpointing:
    case Stage::Returned:
    case Stage::Settling: return "";
  }
  return "";
}

std::string site(const Departure &departure) {
  return departure.crash_site.empty() ? "" : ", " + departure.crash_site;
}

// A SIGKILL that the host has not sent.
std::string who_killed(const WaitStatus &status) {
  if (status.out_of_memory < 0) return ", not by the host: probably out of memory";
  return fmt::format(": out of memory (cgroup limit {})", format_size(status.out_of_memory));
}

std::string interrupted(const Departure &departure) {
  if (!departure.page_known) return words(departure.status);
  const auto stage = static_cast<Stage>(departure.page.stage);
  const bool began = stage != Stage::None && stage != Stage::SetUp && stage != Stage::Waiting;
  if (!began) return "stopped before it began";
  if (departure.killed_by_host)
    return departure.at_once ? "killed, as the host stops at once" : "killed at the end of its grace period";
  return words(departure.status) + " when asked to stop";
}

// A deadline may come a moment late, and refuse a claim of the slice that follows: that one is not to blame. One that says
// it was refused, and nobody had asked it to stop, has written over its page.
Judgement judge_done(const SliceEnded &ended, bool asked, const std::string &how, const std::string &overdue,
                     std::int64_t shift) {
  if (!ended.claimed || ended.claimed_to >= ended.slice.end) return {Verdict::Done, ended.reason, ended.rule};
  const bool refused = ended.refused != StopWord::GoOn;
  if (refused && !overdue.empty()) return {Verdict::Timeout, overdue};
  if (refused && (asked || ended.signalled)) return {Verdict::Yield, "stopped at a refused claim"};
  return {Verdict::Failure,
          fmt::format("{} but left the last {} of {} unclaimed, from position {} on{}", how,
                      ended.slice.end - ended.claimed_to, counted(ended.slice.end - ended.slice.begin, "position"),
                      ended.claimed_to + shift,
                      refused ? ", as a claim was refused, though nobody had asked it to stop" : ""),
          ended.rule};
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Done: return "done";
    case Verdict::BadData: return "bad data";
    case Verdict::Failure: return "failure";
    case Verdict::RetryLater: return "retry later";
    case Verdict::NoRoom: return "no room";
    case Verdict::BadConfig: return "bad config";
    case Verdict::Yield: return "yield";
    case Verdict::Crash: return "crash";
    case Verdict::OutOfMemory: return "out of memory";
    case Verdict::Timeout: return "timeout";
    case Verdict::Interrupted: return "interrupted";
    case Verdict::LoadFailure: return "load failure";
    case Verdict::LoadLater: return "load later";
    case Verdict::InputChanged: return "input changed";
  }
  return "";
}

std::string_view told_name(Verdict verdict, const WaitStatus &status) {
  return verdict == Verdict::OutOfMemory && status.out_of_memory < 0 ? "probably out of memory" : name(verdict);
}

std::string signal_name(int number) {
  for (const auto &[value, text] : kSignals)
    if (value == number) return std::string(text);
  return fmt::format("signal {}", number);
}

bool is_own_doing(const WaitStatus &status) {
  if (!status.signaled || status.out_of_memory >= 0) return true;
  constexpr std::array<int, 7> kFaults = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
  return std::find(kFaults.begin(), kFaults.end(), status.value) != kFaults.end();
}

std::string words(const WaitStatus &status, const std::string &detail) {
  if (!status.signaled) return fmt::format("exited with {}", status.value);
  std::string more = detail;
  if (status.core) more += more.empty() ? "core dumped" : ", core dumped";
  return fmt::format("killed by {}{}", signal_name(status.value), more.empty() ? "" : " (" + more + ")");
}

std::string returned_words(std::int32_t value) {
  const std::string_view known = returned_name(value);
  return known.empty() ? fmt::format("returned {}", value) : fmt::format("returned {} ({})", value, known);
}

std::string position_words(const WorkerPart &page) {
  if (static_cast<Stage>(page.stage) != Stage::Running) return "";
  if (page.at >= 0) return fmt::format(" at position {}", page.at);
  if (page.claimed_to <= page.claimed_from) return "";
  if (page.claimed_to - page.claimed_from == 1) return fmt::format(" at position {}", page.claimed_from);
  return fmt::format(" within positions {}-{}", page.claimed_from, page.claimed_to);
}

Judgement judge(const Departure &departure, std::span<const ExitRule> rules) {
  const WaitStatus &status = departure.status;
  const WorkerPart &page = departure.page;
  const auto stage = departure.page_known ? static_cast<Stage>(page.stage) : Stage::None;
  const std::string how = words(status, departure.crash_detail);
  std::string place = departure.place.empty() ? "" : " " + departure.place;
  if (departure.page_known) place += position_words(page);
  if (departure.broke_protocol && !departure.stopping)
    return {Verdict::Crash, "killed by the host: broke the protocol" + place};
  if (!departure.input_changed.empty()) return {Verdict::InputChanged, departure.input_changed};
  if (stage == Stage::Returned) {
    const Judgement plain{verdict_of_returned(page.returned),
                          with_reason(returned_words(page.returned) + place, page_reason(page))};
    return with_reason(by_rule(rules, rule_for_code(rules, page.returned), plain), departure.overdue);
  }
  if (!departure.overdue.empty()) return {Verdict::Timeout, departure.overdue + place + site(departure)};
  if (departure.stopping || departure.killed_by_host) return {Verdict::Interrupted, interrupted(departure) + place};
  if (departure.page_known && page.failed_before_run == 2) return {Verdict::LoadLater, page_reason(page)};
  if (departure.page_known && page.failed_before_run != 0) return {Verdict::LoadFailure, page_reason(page)};
  const std::string_view when = departure.page_known ? before(departure) : "";
  // What the plugin had said with fail() before.
  const std::string said = stage == Stage::Running ? page_reason(page) : std::string();
  if (status.signaled) {
    const bool killed = departure.page_known && status.value == SIGKILL;
    const std::string by_whom = killed ? who_killed(status) : "";
    return with_reason(by_rule(rules, rule_for_signal(rules, status.value),
                               {killed ? Verdict::OutOfMemory : Verdict::Crash,
                                fmt::format("{}{}{}{}{}", how, when, place, by_whom, site(departure))}),
                       said);
  }
  const bool in_merge = stage == Stage::Running && departure.place == kInMerge;
  const std::string_view without = in_merge                  ? " without returning from merge()"
                                   : stage == Stage::Running ? " without returning from run()"
                                                             : "";
  if (in_merge) place.clear();
  return with_reason(by_rule(rules, rule_for_code(rules, status.value),
                             {Verdict::Crash, fmt::format("{}{}{}{}", how, when, without, place)}),
                     said);
}

Judgement judge(const SliceEnded &ended, bool asked, const std::string &overdue, std::int64_t shift, bool advanced) {
  if (ended.input_changed) return {Verdict::InputChanged, ended.reason};
  if (ended.no_room) return {Verdict::NoRoom, ended.reason};
  if (ended.io_failed || ended.saved_lost) return {Verdict::RetryLater, ended.reason};
  const bool ruled = ended.rule >= 0;
  const Verdict verdict = verdict_of_returned(ended.*(ruled ? &SliceEnded::counts_as : &SliceEnded::returned));
  std::string how = returned_words(ended.returned);
  if (ruled) how += rule_words(ended.rule, ended.counts_as);
  Judgement judgement{verdict, with_reason(how, ended.reason), ended.rule};
  if (verdict == Verdict::Done) return judge_done(ended, asked, how, overdue, shift);
  if (verdict == Verdict::Yield && !overdue.empty()) return {Verdict::Timeout, overdue + "; " + judgement.reason};
  if (verdict != Verdict::Yield || asked || advanced) return judgement;
  // Somebody else has sent it the stop signal.
  if (ended.signalled) return {Verdict::RetryLater, judgement.reason + " when a signal told it to stop", ended.rule};
  return {Verdict::Failure, judgement.reason + ", but no checkpoint has advanced", ended.rule};
}

}  // namespace hostler
