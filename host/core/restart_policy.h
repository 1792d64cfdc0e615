// When to start again what has failed: exponential backoff with cap, jitter and reset, and a limit. Says why.
#pragma once

#include <list>
#include <optional>
#include <string>

#include "core/config.h"
#include "core/time.h"

namespace hostler {

struct RestartDecision {
  bool give_up = false;
  Duration delay{};
  std::string reason;  // "restart in 400ms (failure 3 in a row)", "gave up: 10 restarts within 60s"
};

// delay · factor^(failures-1), at most max_delay, spread by ± jitter. `random` is uniform in [0, 1).
[[nodiscard]] Duration backoff_delay(const RestartConfig &config, std::int32_t failures, double random);

// The history of one instance.
class RestartPolicy {
 public:
  // A run of `ran_for` ended in a failure at `now`.
  [[nodiscard]] RestartDecision failed(const RestartConfig &config, TimePoint now, Duration ran_for, double random);
  // It asked for it itself (75, 85): the delay grows in the same way, but nobody gives up.
  [[nodiscard]] RestartDecision put_off(const RestartConfig &config, Duration ran_for, double random);
  // Forget: somebody started it by hand.
  void reset();
  [[nodiscard]] std::int32_t failures() const { return failures_; }

 private:
  void count(const RestartConfig &config, Duration ran_for);

  std::int32_t failures_ = 0;      // in a row, and what was put off
  std::list<TimePoint> restarts_;  // empty, it costs nothing
};

}  // namespace hostler
