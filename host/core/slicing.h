// How an input is cut into slices: a pure function of the manifest and the slice size, lazily, so that ten million
// slices cost nothing until they run.
//
// Positions. Every input i has an extent: its bytes (Lines, Records, File), its numbers (Range) or its items (Items).
// The extents laid end to end give each position of the job one *global* number, and every set of positions is a set of
// half-open intervals of global numbers: slices, leases, rows of the ledger, and later the parts of a split slice.
// An empty file of a File job has one position, so that it is a slice too.
// Local positions, which the plugin sees, are global - input.offset + input.base.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"

namespace hostler {

// The size of an input that a resumed job no longer has: it keeps its ordinal and holds no position, of no kind.
inline constexpr std::int64_t kGone = -1;

// One file, or the one input of Range and Items. Identity as stat saw it when the job was planned.
struct Input {
  std::string path;       // empty for Range and Items
  std::int64_t size = 0;  // bytes; Range, Items: number of positions; kGone
  std::int64_t mtime_ns = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const Input &) const = default;
};

struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const Interval &) const = default;
};

// One slice of the plan, or the part of one that an interval covers.
struct SliceSpan {
  std::int64_t index = 0;  // place in the plan
  std::int32_t input = 0;  // ordinal in the manifest
  std::int64_t begin = 0;  // local positions, as the plugin sees them
  std::int64_t end = 0;
  Interval global;
  bool operator==(const SliceSpan &) const = default;
};

inline constexpr std::int64_t kMaxPositions = std::int64_t{1} << 62;

// Never changed once it is made; copies share what they hold, also across threads: a million files are kept once.
class Manifest {
 public:
  Manifest() : Manifest(InputKind::None, {}, 1, 1, 0, {}, 1) {}  // no input, no slice
  // slice_size 0 takes the default of the kind: 16 MiB for Lines and Records, 1/64 of all per worker for Range and
  // Items, at least 1. Of Records it is rounded down to whole records, at least one. `base` is the first local position
  // (Range: begin). All extents together must stay below kMaxPositions: see fits().
  Manifest(InputKind kind, std::vector<Input> inputs, std::int64_t slice_size, std::int64_t unit, std::int64_t base,
           ItemList items, std::int32_t workers);

  // Do these inputs stay within what positions can count? Otherwise the input has to be refused.
  [[nodiscard]] static bool fits(const std::vector<Input> &inputs);

  [[nodiscard]] InputKind kind() const { return kind_; }
  [[nodiscard]] std::int64_t slice_size() const { return slice_size_; }
  [[nodiscard]] std::int64_t unit() const { return unit_; }
  [[nodiscard]] std::int64_t base() const { return base_; }
  [[nodiscard]] const std::vector<Input> &inputs() const { return parts_->inputs; }
  [[nodiscard]] const std::vector<std::string> &items() const { return parts_->items.all(); }

  [[nodiscard]] std::int64_t positions() const;  // all, the end of the last extent
  [[nodiscard]] std::int64_t slice_count() const;
  // The number of positions input i holds in the global numbering, and its first one.
  [[nodiscard]] std::int64_t extent(std::int32_t input) const;
  [[nodiscard]] std::int64_t offset(std::int32_t input) const {
    return parts_->offsets[static_cast<std::size_t>(input)];
  }
  // The input that holds global position p, 0 <= p < positions().
  [[nodiscard]] std::int32_t input_at(std::int64_t p) const;
  // The half-open interval of global positions [begin, end), which must lie within one input, as the plugin sees it.
  [[nodiscard]] Interval local(std::int32_t input, Interval global) const;

  // The slice of the plan that holds global position p, 0 <= p < positions(); cut to `within` (which holds p).
  [[nodiscard]] SliceSpan slice_at(std::int64_t p, Interval within) const;
  [[nodiscard]] SliceSpan slice_at(std::int64_t p) const { return slice_at(p, {0, positions()}); }
  // What is left of that slice from p on: the part of a slice that was cut begins where it was cut.
  [[nodiscard]] SliceSpan slice_from(std::int64_t p) const { return slice_at(p, {p, positions()}); }
  // How many slices of the plan begin in the interval.
  [[nodiscard]] std::int64_t slices_in(Interval interval) const;
  // The end of the run of at most n slices that begins at p; what is left of p's slice is the first of them.
  [[nodiscard]] std::int64_t end_of_run(std::int64_t p, std::int64_t n) const;

 private:
  struct Parts {
    std::vector<Input> inputs;
    ItemList items;
    std::vector<std::int64_t> offsets = {0};        // inputs.size() + 1 of them
    std::vector<std::int64_t> slices_before = {0};  // likewise
  };
  [[nodiscard]] std::int64_t slices_of(std::int64_t extent) const;
  // How many slices begin before p.
  [[nodiscard]] std::int64_t rank(std::int64_t p) const;
  InputKind kind_ = InputKind::None;
  std::int64_t slice_size_ = 1;
  std::int64_t unit_ = 1;
  std::int64_t base_ = 0;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace hostler
