// How many slices a lease should hold: enough that handing out costs little, few enough that a lease lasts about a
// quarter of a second and the work stays spread at the end (guided self-scheduling: Polychronopoulos and Kuck, 1987).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/time.h"

namespace hostler {

class LeaseSize {
 public:
  static constexpr Duration kWanted = std::chrono::milliseconds(250);

  // `open`: slices not handed out yet; `workers` share them.
  [[nodiscard]] std::int64_t next(std::int64_t open, std::int64_t workers) const {
    const std::int64_t share = open / (2 * std::max<std::int64_t>(workers, 1));
    return std::clamp<std::int64_t>(size_, 1, std::max<std::int64_t>(share, 1));
  }
  // A lease of `slices` took so long: at most twice as large next time.
  void took(std::int64_t slices, Duration time) {
    const double each = static_cast<double>(std::max<std::int64_t>(time.count(), 1)) / static_cast<double>(slices);
    const auto wanted = static_cast<std::int64_t>(static_cast<double>(kWanted.count()) / each);
    size_ = std::clamp<std::int64_t>(wanted, 1, 2 * std::max(size_, slices));
  }

 private:
  std::int64_t size_ = 1;
};

}  // namespace hostler
