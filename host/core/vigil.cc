#include "core/vigil.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/units.h"

namespace hostler {
namespace {

constexpr int kLooks = 8;  // for each limit

TimePoint next(TimePoint since, Duration limit, TimePoint now) {
  return std::min(std::max(since + limit, now), now + limit / kLooks);
}

}  // namespace

void Vigil::begin(TimePoint now) {
  *this = {};
  began_ = now;
  progressed(now);
}

void Vigil::progressed(TimePoint now) {
  alive_ = slice_ = now;
}

std::optional<Overdue> Vigil::look(const WorkerPart &page, bool loaded, bool busy, const VigilLimits &limits,
                                   TimePoint now) {
  if (!loaded) {
    const Duration limit = limits.watchdog.value_or(kLoadLimit);
    if (now - began_ < limit) return std::nullopt;
    return Overdue{Overdue::Kind::Hung, fmt::format("hung: not ready to run after {}", format_duration(limit))};
  }
  const auto stage = static_cast<Stage>(page.stage);
  busy = busy && stage != Stage::Settling;
  const bool in_run = stage != Stage::Idle;
  const bool other_slice = page.begun != begun_ || !busy || !in_run;
  const bool alive =
      page.begun != begun_ || !busy || page.beats != beats_ || page.claimed_to != claimed_to_ || page.stage != stage_;
  const bool waits = stage == Stage::Checkpointing;
  if (other_slice) slice_ = now;
  if (waits && looked_ != TimePoint{}) slice_ = std::min(now, slice_ + (now - looked_));
  if (alive || waits) alive_ = now;
  looked_ = now;
  begun_ = page.begun;
  beats_ = page.beats;
  claimed_to_ = page.claimed_to;
  stage_ = page.stage;
  if (!busy) return std::nullopt;
  if (limits.watchdog && now - alive_ >= *limits.watchdog)
    return Overdue{Overdue::Kind::Hung, fmt::format("hung: no sign of life for {}", format_duration(*limits.watchdog))};
  if (limits.time_limit && limits.job && in_run && now - slice_ >= *limits.time_limit)
    return Overdue{Overdue::Kind::Slice,
                   fmt::format("out of time: over its time limit of {}", format_duration(*limits.time_limit))};
  return std::nullopt;
}

std::optional<TimePoint> Vigil::next_look(bool loaded, const VigilLimits &limits, TimePoint now) const {
  if (!loaded) return std::max(began_ + limits.watchdog.value_or(kLoadLimit), now);
  std::optional<TimePoint> at;
  const auto sooner = [&](TimePoint time) { at = at ? std::min(*at, time) : time; };
  if (limits.watchdog) sooner(next(alive_, *limits.watchdog, now));
  if (limits.time_limit && limits.job) sooner(next(slice_, *limits.time_limit, now));
  return at;
}

}  // namespace hostler
