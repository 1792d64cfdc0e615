#include "core/exit_status.h"

#include <array>
#include <csignal>
#include <utility>

#include <fmt/format.h>

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

std::string before(Stage stage) {
  switch (stage) {
    case Stage::None:
    case Stage::SetUp:
    case Stage::Waiting: return " before its plugin was loaded";
    case Stage::Loading: return " while its plugin was being loaded";
    case Stage::Idle: return " between slices";
    case Stage::Running:
    case Stage::Returned: return "";
  }
  return "";
}

// " at position 17", the local one that the plugin was at as far as it said so.
std::string position(const WorkerPart &page) {
  if (static_cast<Stage>(page.stage) != Stage::Running) return "";
  if (page.at >= 0) return fmt::format(" at position {}", page.at);
  if (page.claimed_to <= page.claimed_from) return "";
  if (page.claimed_to - page.claimed_from == 1) return fmt::format(" at position {}", page.claimed_from);
  return fmt::format(" within positions {}-{}", page.claimed_from, page.claimed_to);
}

std::string site(const Departure &departure) {
  return departure.crash_site.empty() ? "" : ", " + departure.crash_site;
}

std::string interrupted(const Departure &departure) {
  const auto stage = static_cast<Stage>(departure.page.stage);
  const bool began = stage != Stage::None && stage != Stage::SetUp && stage != Stage::Waiting;
  if (!began) return "stopped before it began";
  if (departure.killed_by_host) return "killed at the end of its grace period";
  return words(departure.status) + " when asked to stop";
}

Judgement judge_done(const SliceEnded &ended) {
  if (!ended.claimed || ended.claimed_to >= ended.slice.end) return {Verdict::Done, ended.reason};
  if (ended.refused == StopWord::Cancel) return {Verdict::Yield, "stopped at a refused claim"};
  if (ended.refused == StopWord::Deadline) return {Verdict::Timeout, "the time limit refused a claim"};
  return {Verdict::Failure, fmt::format("returned 0 (HOSTLER_DONE) but left the last {} of {} positions unclaimed",
                                        ended.slice.end - ended.claimed_to, ended.slice.end - ended.slice.begin)};
}

}  // namespace

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Done: return "done";
    case Verdict::BadData: return "bad data";
    case Verdict::Failure: return "failure";
    case Verdict::RetryLater: return "retry later";
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

std::string signal_name(int number) {
  for (const auto &[value, text] : kSignals)
    if (value == number) return std::string(text);
  return fmt::format("signal {}", number);
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

Judgement judge(const Departure &departure) {
  const std::string how = words(departure.status, departure.crash_detail);
  std::string place = departure.place.empty() ? "" : " " + departure.place;
  if (departure.page_known) place += position(departure.page);
  if (departure.timed_out) return {Verdict::Timeout, "killed by the host: out of time" + place + site(departure)};
  if (departure.broke_protocol && !departure.stopping)
    return {Verdict::Crash, "killed by the host: broke the protocol" + place};
  if (departure.page_known) {
    const WorkerPart &page = departure.page;
    const auto stage = static_cast<Stage>(page.stage);
    if (stage == Stage::Returned)
      return {verdict_of_returned(page.returned),
              with_reason(returned_words(page.returned) + place, page_reason(page))};
    if (departure.stopping || departure.killed_by_host) return {Verdict::Interrupted, interrupted(departure) + place};
    if (page.failed_before_run == 2) return {Verdict::LoadLater, page_reason(page)};
    if (page.failed_before_run != 0) return {Verdict::LoadFailure, page_reason(page)};
    // What the plugin had said with fail() before.
    const std::string said = stage == Stage::Running ? page_reason(page) : std::string();
    if (departure.status.signaled && departure.status.value == SIGKILL)
      return {Verdict::OutOfMemory,
              with_reason(how + before(stage) + place + ", not by the host: probably out of memory", said)};
    if (departure.status.signaled)
      return {Verdict::Crash, with_reason(how + before(stage) + place + site(departure), said)};
    if (stage == Stage::Running && departure.place == kInMerge)
      return {Verdict::Crash, with_reason(how + " without returning from merge()", said)};
    const std::string_view without = stage == Stage::Running ? " without returning from run()" : "";
    return {Verdict::Crash, with_reason(fmt::format("{}{}{}{}", how, before(stage), without, place), said)};
  }
  if (departure.stopping || departure.killed_by_host) return {Verdict::Interrupted, how + place};
  return {Verdict::Crash, how + place + site(departure)};
}

Judgement judge(const SliceEnded &ended, bool stopping) {
  if (ended.input_changed) return {Verdict::InputChanged, ended.reason};
  const std::string returned = with_reason(returned_words(ended.returned), ended.reason);
  if (ended.io_failed) return {Verdict::RetryLater, ended.reason};
  const Verdict verdict = verdict_of_returned(ended.returned);
  if (verdict == Verdict::Done) return judge_done(ended);
  if (verdict == Verdict::Yield && !stopping) return {Verdict::Failure, returned + ", but nothing was checkpointed"};
  return {verdict, returned};
}

}  // namespace hostler
