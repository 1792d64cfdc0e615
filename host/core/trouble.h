// What a slice's row remembers of crashes, so that the next one can be told from the first: nothing, for nearly all.
// Pure values, and the words that the ledger keeps them in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/slicing.h"
#include "core/time.h"

namespace hostler {

struct Trouble {
  std::vector<Interval> crashes;  // what each crash was to be blamed on, global, the last kMost of them
  std::int32_t bisected = 0;      // not 0: a part that bisecting has made, which had cost so many attempts by then
  // Deaths of the host during an attempt (core/host_deaths.h): a score, the position that the last was at, how long the
  // attempt had lasted by then, and how many of them came while nothing else ran.
  std::int32_t deaths = 0;
  std::int64_t death_at = 0;
  Duration death_after{};
  std::int32_t deaths_alone = 0;
  bool waits = false;  // nothing is at work: when the host dies now, it was not this slice

  static constexpr std::size_t kMost = 16;
  [[nodiscard]] bool any() const { return !crashes.empty() || bisected != 0 || deaths != 0; }
  // What of it concerns a part of the slice.
  [[nodiscard]] Trouble within(Interval part) const;
  bool operator==(const Trouble &) const = default;
};

// "crash 10 20 crash 30 40 bisected 4 deaths 8 1234 2000000 1 waits", or empty; times in nanoseconds.
[[nodiscard]] std::string encode(const Trouble &trouble);
// What cannot be read is left out.
[[nodiscard]] Trouble decode_trouble(std::string_view text);

}  // namespace hostler
