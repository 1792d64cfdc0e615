#include "core/restart_policy.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/units.h"

namespace hostler {

Duration backoff_delay(const RestartConfig &config, std::int32_t failures, double random) {
  const auto first = static_cast<double>(config.delay.count());
  const auto most = static_cast<double>(config.max_delay.count());
  const double plain = std::min(most, first * std::pow(config.factor, std::max(failures - 1, 0)));
  const double spread = plain * (1 + config.jitter * (2 * random - 1));
  return Duration(static_cast<std::int64_t>(std::clamp(spread, 0.0, most)));
}

namespace {

RestartDecision restart_in(Duration delay, const std::string &why) {
  return {false, delay,
          fmt::format("restart in {} ({})", format_duration(std::chrono::ceil<std::chrono::milliseconds>(delay)), why)};
}

}  // namespace

void RestartPolicy::count(const RestartConfig &config, Duration ran_for) {
  if (ran_for >= config.reset_after) failures_ = 0;
  ++failures_;
}

RestartDecision RestartPolicy::put_off(const RestartConfig &config, Duration ran_for, double random) {
  count(config, ran_for);
  return restart_in(backoff_delay(config, failures_, random),
                    failures_ == 1 ? "put off" : fmt::format("put off {} times in a row", failures_));
}

RestartDecision RestartPolicy::failed(const RestartConfig &config, TimePoint now, Duration ran_for, double random) {
  count(config, ran_for);
  while (!restarts_.empty() && now - restarts_.front() >= config.within) restarts_.pop_front();
  if (static_cast<std::int64_t>(restarts_.size()) >= config.limit)
    return {true, Duration{},
            fmt::format("gave up: {} within {}", counted(config.limit, "restart"), format_duration(config.within))};
  restarts_.push_back(now);
  return restart_in(backoff_delay(config, failures_, random), fmt::format("failure {} in a row", failures_));
}

void RestartPolicy::reset() {
  failures_ = 0;
  restarts_.clear();
}

}  // namespace hostler
