#include "model/history.h"

#include <algorithm>
#include <array>
#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace hostler {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 13> kDeeds = {"goes on",
                                                     "returns 70",
                                                     "returns 85 (yield)",
                                                     "returns 75 (retry later)",
                                                     "finds no room",
                                                     "returns 65 (bad data)",
                                                     "returns 78 (bad config)",
                                                     "returns 0 and stops short",
                                                     "crashes",
                                                     "is killed",
                                                     "exits",
                                                     "hangs",
                                                     "dawdles for half a minute"};
constexpr std::array<std::string_view, 4> kManners = {"claims", "yields when cancelled", "leaves when cancelled",
                                                      "ignores a cancel"};
constexpr std::array<std::string_view, 6> kKinds = {"none", "range", "lines", "records", "files", "items"};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool one_in(std::int64_t n) { return between(1, n) == 1; }
  template <typename T, std::size_t N>
  T one_of(const std::array<T, N> &all) {
    return all[static_cast<std::size_t>(between(0, N - 1))];
  }

 private:
  std::mt19937_64 random_;
};

Hitch random_trouble(Dice &dice, const History &history, std::int64_t positions) {
  constexpr std::array<Deed, 16> kOften = {Deed::Fail,       Deed::Fail,       Deed::Crash,   Deed::Crash,
                                           Deed::Crash,      Deed::Die,        Deed::Exit,    Deed::Yield,
                                           Deed::RetryLater, Deed::RetryLater, Deed::BadData, Deed::BadConfig,
                                           Deed::StopShort,  Deed::Hang,       Deed::Dawdle,  Deed::Fail};
  Hitch trouble;
  const bool in_merge = history.has_merge && dice.one_in(6);
  trouble.position = in_merge ? positions : dice.between(0, std::max<std::int64_t>(positions - 1, 0));
  trouble.deed = dice.one_of(kOften);
  if (in_merge && trouble.deed == Deed::StopShort) trouble.deed = Deed::Fail;
  trouble.times = dice.one_in(6) ? kAlways : static_cast<std::int32_t>(dice.between(1, 3));
  // Nothing would ever end it.
  if (trouble.deed == Deed::BadConfig) trouble.times = std::min(trouble.times, 2);
  if (trouble.deed == Deed::Dawdle) trouble.times = std::min(trouble.times, 3);
  return trouble;
}

// What it returns then is not charged while it waits for room, and how long it does the oracle cannot tell. So it returns
// no other failure.
void fill_disk(History &history) {
  for (Hitch &trouble : history.troubles) {
    const Deed deed = trouble.deed;
    if (deed != Deed::RetryLater && deed != Deed::Fail && deed != Deed::StopShort && deed != Deed::Yield) continue;
    trouble.deed = Deed::NoRoom;
    trouble.times = std::min(trouble.times, 3);
  }
  history.time_limit = false;
}

Event random_event(Dice &dice, std::int64_t until) {
  constexpr std::array<Happening, 31> kOften = {Happening::WorkerKilled,
                                                Happening::WorkerKilled,
                                                Happening::WorkerKilled,
                                                Happening::WorkerCrashed,
                                                Happening::HostKilled,
                                                Happening::HostKilled,
                                                Happening::HostKilled,
                                                Happening::HostKilled,
                                                Happening::HostStopped,
                                                Happening::HostStopped,
                                                Happening::HostStoppedAtOnce,
                                                Happening::Stop,
                                                Happening::Stop,
                                                Happening::Start,
                                                Happening::Start,
                                                Happening::Restart,
                                                Happening::Restart,
                                                Happening::Pause,
                                                Happening::Resume,
                                                Happening::Cancel,
                                                Happening::Retry,
                                                Happening::Retry,
                                                Happening::Scale,
                                                Happening::Scale,
                                                Happening::Reload,
                                                Happening::ReloadCount,
                                                Happening::GoOnAnew,
                                                Happening::ReloadState,
                                                Happening::DiskFull,
                                                Happening::DiskFull,
                                                Happening::ForksFail};
  Event event;
  event.at = std::chrono::microseconds(100 * dice.between(0, until * 10));
  event.what = dice.one_in(60) ? Happening::FromZero : dice.one_of(kOften);
  event.number = static_cast<std::int32_t>(dice.between(0, 3));
  if (event.what == Happening::Scale || event.what == Happening::Reload || event.what == Happening::ReloadCount ||
      event.what == Happening::ReloadState)
    ++event.number;
  if (event.what == Happening::DiskFull && dice.one_in(8)) event.number = 120;  // longer than who works may be silent
  return event;
}

void sort_events(History &history) {
  std::ranges::stable_sort(history.events, {}, &Event::at);
}

}  // namespace

std::string words(const Event &event) {
  switch (event.what) {
    case Happening::WorkerKilled: return fmt::format("worker {} is killed", event.number);
    case Happening::WorkerCrashed: return fmt::format("worker {} crashes", event.number);
    case Happening::HostKilled: return "the host is killed and starts again";
    case Happening::HostStopped: return "the host is stopped and starts again";
    case Happening::HostStoppedAtOnce: return "the host is stopped at once and starts again";
    case Happening::Stop: return "stop";
    case Happening::Start: return "start";
    case Happening::Restart: return "restart";
    case Happening::Pause: return "pause";
    case Happening::Resume: return "resume";
    case Happening::Cancel: return "cancel";
    case Happening::Retry: return "retry";
    case Happening::Scale: return fmt::format("scale to {}", event.number);
    case Happening::Reload: return fmt::format("reload with another build and {} workers", event.number);
    case Happening::ReloadState:
      return fmt::format("reload with a build that knows no former checkpoint, and {} workers", event.number);
    case Happening::ReloadCount: return fmt::format("reload with {} workers", event.number);
    case Happening::GoOnAnew: return "reload --resume";
    case Happening::FromZero: return "reload --fresh";
    case Happening::DiskFull: return fmt::format("the disk is full for {} ms", event.number * 100);
    case Happening::ForksFail: return fmt::format("{} forks fail", event.number);
  }
  return {};
}

History random_history(std::uint64_t seed) {
  constexpr std::array<InputKind, 8> kOften = {InputKind::Range, InputKind::Range,   InputKind::Lines,
                                               InputKind::Lines, InputKind::Records, InputKind::File,
                                               InputKind::Items, InputKind::Range};
  Dice dice(seed);
  History history;
  history.seed = seed;
  history.kind = dice.one_of(kOften);
  const bool single = history.kind == InputKind::Range || history.kind == InputKind::Items;
  history.inputs.resize(static_cast<std::size_t>(single ? 1 : dice.between(1, 3)));
  for (std::int64_t &size : history.inputs) size = dice.one_in(12) ? 0 : dice.between(1, single ? 30 : 14);
  history.unit = history.kind == InputKind::Records ? dice.between(1, 3) : 1;
  history.slice = dice.between(1, dice.one_in(2) ? 30 : 6);
  history.count = static_cast<std::int32_t>(dice.between(1, 4));
  history.attempts = static_cast<std::int32_t>(dice.between(1, 4));
  history.max_temporary = static_cast<std::int32_t>(dice.between(0, 3));
  history.max_failed = dice.one_in(3) ? dice.between(0, 4) : 1000;
  history.splittable = !dice.one_in(3);
  history.has_merge = dice.one_in(2);
  history.time_limit = dice.one_in(4);
  history.manner =
      dice.one_in(3) ? dice.one_of(std::array{Manner::Yields, Manner::Leaves, Manner::Ignores}) : Manner::Claims;
  history.each = milliseconds(dice.one_of(std::array<std::int64_t, 4>{0, 1, 7, 40}));
  history.units = dice.one_in(3) ? dice.between(2, 5) : 1;
  history.checkpoints = dice.one_in(2) ? static_cast<std::int32_t>(dice.between(1, 4)) : 0;
  history.skips = dice.one_in(3) ? static_cast<std::int32_t>(dice.between(1, 9)) : 0;
  history.max_skipped = dice.one_in(3) ? dice.between(0, 4) : 1000;
  history.files = dice.one_in(2) ? static_cast<std::int32_t>(dice.between(1, 3)) : 0;
  history.latency = std::chrono::microseconds(dice.one_of(std::array<std::int64_t, 4>{0, 100, 700, 3000}));
  std::int64_t positions = 0;
  for (const std::int64_t size : history.inputs)
    positions += history.kind == InputKind::File ? std::max<std::int64_t>(size, 1) : size;
  history.troubles.resize(static_cast<std::size_t>(dice.one_in(3) ? 0 : dice.between(1, 4)));
  for (Hitch &trouble : history.troubles) trouble = random_trouble(dice, history, positions);
  if (dice.one_in(4)) fill_disk(history);
  history.events.resize(static_cast<std::size_t>(dice.one_in(5) ? 0 : dice.between(1, 8)));
  const std::int64_t until = 10 + positions * history.each.count() / 1'000'000 * dice.between(1, 2);
  for (Event &event : history.events) event = random_event(dice, dice.one_in(8) ? until * 20 : until);
  sort_events(history);
  return history;
}

std::string text(const History &history) {
  std::string sizes;
  for (const std::int64_t size : history.inputs) sizes += fmt::format(" {}", size);
  std::string told = fmt::format(
      "job: {} of size{}, slices of {}, unit {}; {} workers, attempts {}, max_temporary {}, max_failed {}{}{}{}\n"
      "plugin: {}, {} units at a time, {} us each; {}; files in every {}th slice; a checkpoint after every {}th claim, "
      "every {}th position put aside, max_skipped {}; messages take {} us\n",
      kKinds[static_cast<std::size_t>(history.kind)], sizes, history.slice, history.unit, history.count,
      history.attempts, history.max_temporary, history.max_failed, history.watchdog ? ", watchdog 5s" : "",
      history.time_limit ? ", time_limit 10s" : "", history.has_merge ? ", merge" : "",
      kManners[static_cast<std::size_t>(history.manner)], history.units, history.each.count() / 1000,
      history.splittable ? "splittable" : "not splittable", history.files, history.checkpoints, history.skips,
      history.max_skipped, history.latency.count() / 1000);
  for (const Hitch &trouble : history.troubles)
    told += fmt::format("at position {} it {}, {}\n", trouble.position, kDeeds[static_cast<std::size_t>(trouble.deed)],
                        trouble.times == kAlways ? "always" : fmt::format("{} times", trouble.times));
  for (const Event &event : history.events)
    told += fmt::format("after {:.1f} ms: {}\n", static_cast<double>(event.at.count()) / 1e6, words(event));
  return told;
}

std::vector<History> smaller(const History &history) {
  std::vector<History> all;
  // Without a stretch of what happens or of what the plugin does: half of them, a quarter …
  const auto without = [&](auto member) {
    const auto size = (history.*member).size();
    for (std::size_t width = size; width > 0; width /= 2)
      for (std::size_t from = 0; from < size; from += width) {
        History less = history;
        auto &list = less.*member;
        list.erase(list.begin() + static_cast<std::ptrdiff_t>(from),
                   list.begin() + static_cast<std::ptrdiff_t>(std::min(from + width, size)));
        all.push_back(std::move(less));
      }
  };
  without(&History::events);
  without(&History::troubles);
  if (history.inputs.size() > 1) without(&History::inputs);
  const auto with = [&](auto member, auto value) {
    if (history.*member == value) return;
    all.push_back(history);
    all.back().*member = value;
  };
  with(&History::has_merge, false);
  with(&History::time_limit, false);
  with(&History::files, 0);
  with(&History::checkpoints, 0);
  with(&History::skips, 0);
  with(&History::latency, Duration{});
  with(&History::count, 1);
  with(&History::count, std::max(history.count - 1, 1));
  with(&History::units, std::int64_t{1});
  with(&History::unit, std::int64_t{1});
  with(&History::splittable, false);
  with(&History::manner, Manner::Claims);
  with(&History::kind, history.inputs.size() == 1 ? InputKind::Range : history.kind);
  with(&History::max_temporary, 3);
  with(&History::attempts, std::max(history.attempts - 1, 1));
  with(&History::slice, std::max<std::int64_t>(history.slice / 2, 1));
  with(&History::slice, std::max<std::int64_t>(history.slice - 1, 1));
  for (std::size_t i = 0; i < history.inputs.size(); ++i)
    for (const std::int64_t size : {history.inputs[i] / 2, history.inputs[i] - 1}) {
      if (size < 0 || size == history.inputs[i]) continue;
      all.push_back(history);
      all.back().inputs[i] = size;
    }
  for (std::size_t i = 0; i < history.troubles.size(); ++i)
    if (history.troubles[i].times > 1) {
      all.push_back(history);
      all.back().troubles[i].times = 1;
    }
  // Sooner: half of it, or to the whole millisecond.
  for (std::size_t i = 0; i < history.events.size(); ++i)
    for (const Duration sooner : {Duration(std::chrono::floor<milliseconds>(history.events[i].at / 2)),
                                  Duration(std::chrono::floor<milliseconds>(history.events[i].at))})
      if (sooner != history.events[i].at) {
        all.push_back(history);
        all.back().events[i].at = sooner;
        sort_events(all.back());
      }
  return all;
}

}  // namespace hostler
