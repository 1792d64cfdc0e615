// Claims a slice from `resume` to its end, a block at a time. On the thread of run() only.
#pragma once

#include <hostler/detail/verdict.hpp>

#include <ctime>

namespace hostler::detail {

/// What has been claimed of one slice. Shared by everything that iterates over it, so that a second pass over the same
/// lines claims nothing twice.
class Claims {
 public:
  explicit Claims(const hostler_slice_t *slice)
      : slice_(slice), granted_(slice->resume), unit_(slice->unit > 0 ? slice->unit : 1), block_(unit_) {}

  /// One past the last position that is ours to work on.
  int64_t granted() const { return granted_; }

  /// hostler_host_t::claim, and remembers the grant.
  int64_t claim(int64_t from, int64_t to) {
    const int64_t granted = checked(slice_->host->claim(slice_, from, to), "claim");
    if (granted > granted_) granted_ = granted;
    return granted;
  }

  /// Claims the next position, unless it is ours already. False: it is not granted.
  bool cover(int64_t position) { return position < granted_ || extend(1); }

  /// Claims blocks until `position` is ours. They grow to 256 KiB while the work on one takes less than a millisecond,
  /// and shrink to a single record when it takes long: so slow work stays easy to stop, to split and to see alive.
  /// False: not granted, or beyond the slice; then all up to it has been asked for.
  bool cover_block(int64_t position) {
    while (position >= granted_) {
      pace();
      const int64_t needed = position - granted_ + unit_;
      if (!extend(needed > block_ ? needed : block_)) return false;
    }
    return true;
  }

  /// Claims what is missing up to `position`, of work that claims at all. False: not granted.
  bool cover_up_to(int64_t position) {
    if (granted_ == slice_->resume) return true;  // nothing is claimed: whoever works so has the whole slice
    while (granted_ < position) {
      if (!extend(position - granted_)) return false;
    }
    return true;
  }

  /// Claims all that is left.
  void cover_all() {
    while (extend(slice_->end - granted_)) continue;
  }

 private:
  static constexpr int64_t kLargestBlock = int64_t{256} * 1024;
  static constexpr int64_t kShortNs = 1'000'000;
  static constexpr int64_t kLongNs = 10'000'000;

  bool extend(int64_t amount) {
    const int64_t left = slice_->end - granted_;
    if (refused_ || left <= 0) return false;
    const int64_t before = granted_;
    refused_ = claim(before, before + (amount < left ? amount : left)) <= before;
    return !refused_;
  }

  void pace() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t now_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
    const int64_t took = now_ns - paced_ns_;
    if (paced_ns_ != 0 && took < kShortNs && block_ < kLargestBlock) block_ *= 4;
    if (paced_ns_ != 0 && took > kLongNs && block_ > unit_) block_ /= 4;
    paced_ns_ = now_ns;
  }

  const hostler_slice_t *slice_;
  int64_t granted_;
  int64_t unit_;
  int64_t block_;  // unit_ times a power of 4
  int64_t paced_ns_ = 0;
  bool refused_ = false;
};

}  // namespace hostler::detail
