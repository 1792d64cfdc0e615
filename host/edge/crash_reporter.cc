#include "edge/crash_reporter.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/log_text.h"

namespace hostler {
namespace {

constexpr std::size_t kMostKept = 8;
constexpr std::size_t kMostReports = 10;     // of one entry, within `within`, of places that are known
constexpr std::size_t kMostNewReports = 60;  // and of any
constexpr std::size_t kMostWaiting = 256;
constexpr std::size_t kMostWaitingOfEntry = 4;
constexpr std::size_t kMostKnown = 128;

std::string stamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

Backtrace again(Backtrace backtrace) {
  backtrace.repeated = true;
  return backtrace;
}

}  // namespace

CrashReporter::CrashReporter(EventLoop &loop, std::string state_dir, std::string symboliser, Duration within)
    : loop_(loop), state_dir_(std::move(state_dir)), within_(within), symboliser_(loop, std::move(symboliser)) {}

void CrashReporter::keep(WorkerId worker, std::int32_t pid, CrashCapture capture) {
  if (kept_.size() >= kMostKept) kept_.pop_front();
  kept_.push_back({worker, pid, std::move(capture)});
}

std::size_t CrashReporter::reports_of_late(const std::string &entry, TimePoint now) {
  auto &times = reports_[entry];
  while (!times.empty() && now - times.front() > within_) times.pop_front();
  return times.size();
}

const Backtrace *CrashReporter::known(const std::string &entry, const std::string &key) const {
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&](const Known &each) { return each.key == key && each.entry == entry; });
  return found == known_.end() ? nullptr : &found->backtrace;
}

void CrashReporter::remember(const Case &done, const Backtrace &backtrace) {
  if (backtrace.frames.empty()) return;
  std::erase_if(known_, [&](const Known &each) { return each.key == done.key && each.entry == done.entry; });
  if (known_.size() >= kMostKnown) known_.pop_front();
  known_.push_back({done.entry, done.key, backtrace});
}

void CrashReporter::investigate(WorkerId worker, const std::string &entry, const std::string &report, Found found) {
  Asker asker{worker, std::move(found)};
  const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const Kept &each) { return each.worker == worker; });
  if (kept == kept_.end()) return tell(std::move(asker), {});
  Kept crash = std::move(*kept);
  kept_.erase(kept);

  std::string key = crash_key(crash.capture);
  const auto same = std::find_if(cases_.begin(), cases_.end(),
                                 [&](const Case &each) { return each.key == key && each.entry == entry; });
  if (same != cases_.end()) return same->askers.push_back(std::move(asker));
  const TimePoint time = EventLoop::now();
  const std::size_t reports = reports_of_late(entry, time);
  const Backtrace *before = known(entry, key);
  if (before != nullptr && reports >= kMostReports) return tell(std::move(asker), again(*before));
  if (reports >= kMostNewReports) return tell(std::move(asker), {});
  reports_[entry].push_back(time);
  make_room(entry);
  const std::string now = stamp();
  std::string file = fmt::format("{}/crashes/{}/{}-{}.txt", state_dir_, entry, now, crash.pid);
  cases_.push_back({entry, std::move(key), std::move(crash.capture), now + " " + report, std::move(file), {}});
  cases_.back().askers.push_back(std::move(asker));
  if (cases_.size() == 1) begin_next();
}

// The oldest that waits has waited in vain: what is newer tells more of what there is now.
void CrashReporter::make_room(const std::string &entry) {
  if (cases_.size() <= 1) return;
  const auto waiting = std::next(cases_.begin());
  const auto of_entry = [&](const Case &each) { return each.entry == entry; };
  auto oldest = cases_.end();
  if (static_cast<std::size_t>(std::count_if(waiting, cases_.end(), of_entry)) >= kMostWaitingOfEntry)
    oldest = std::find_if(waiting, cases_.end(), of_entry);
  else if (cases_.size() > kMostWaiting)
    oldest = waiting;
  if (oldest == cases_.end()) return;
  Backtrace none;
  none.problem = "no backtrace: too many crashes at once";
  for (Asker &asker : oldest->askers) tell(std::move(asker), none);
  cases_.erase(oldest);
}

void CrashReporter::begin_next() {
  if (cases_.empty()) return;
  const Case &next = cases_.front();
  symboliser_.run(next.capture, next.words, next.file, [this](const Backtrace &backtrace) { finish(backtrace); });
}

void CrashReporter::finish(const Backtrace &backtrace) {
  Case done = std::move(cases_.front());
  cases_.pop_front();
  remember(done, backtrace);
  begin_next();
  bool first = true;
  for (const Asker &asker : done.askers) {
    asker.found(asker.worker, first ? backtrace : again(backtrace));
    first = false;
  }
}

void CrashReporter::tell(Asker asker, Backtrace backtrace) {
  loop_.post([asker = std::move(asker), backtrace = std::move(backtrace)] { asker.found(asker.worker, backtrace); });
}

}  // namespace hostler
