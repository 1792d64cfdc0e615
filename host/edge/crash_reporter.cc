#include "edge/crash_reporter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "core/log_text.h"

namespace hostler {
namespace {

constexpr std::size_t kMostKept = 8;
constexpr std::size_t kMostReports = 10;  // of one entry, within
constexpr Duration kWithin = std::chrono::minutes(1);

std::string stamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

CrashReporter::CrashReporter(EventLoop &loop, std::string state_dir, std::string symboliser)
    : loop_(loop), state_dir_(std::move(state_dir)), symboliser_(loop, std::move(symboliser)) {}

void CrashReporter::keep(WorkerId worker, std::int32_t pid, CrashCapture capture) {
  if (kept_.size() >= kMostKept) kept_.pop_front();
  kept_.push_back({worker, pid, std::move(capture)});
}

bool CrashReporter::may_report(const std::string &entry, TimePoint now) {
  auto &times = reports_[entry];
  while (!times.empty() && now - times.front() > kWithin) times.pop_front();
  if (times.size() >= kMostReports) return false;
  times.push_back(now);
  return true;
}

void CrashReporter::investigate(WorkerId worker, const std::string &entry, const std::string &report, Found found) {
  const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const Kept &each) { return each.worker == worker; });
  if (kept == kept_.end() || !may_report(entry, EventLoop::now())) {
    if (kept != kept_.end()) kept_.erase(kept);
    loop_.post([worker, found = std::move(found)] { found(worker, {}); });
    return;
  }
  const Kept crash = std::move(*kept);
  kept_.erase(kept);
  const std::string now = stamp();
  const std::string file = fmt::format("{}/crashes/{}/{}-{}.txt", state_dir_, entry, now, crash.pid);
  symboliser_.run(crash.capture, now + " " + report, file,
                  [worker, found = std::move(found)](const Backtrace &backtrace) { found(worker, backtrace); });
}

}  // namespace hostler
