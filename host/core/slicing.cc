#include "core/slicing.h"

#include <algorithm>
#include <utility>

namespace hostler {
namespace {

constexpr std::int64_t kDefaultBytes = std::int64_t{16} << 20;
constexpr std::int64_t kSlicesPerWorker = 64;

// Rounded up, without overflow.
std::int64_t divide_up(std::int64_t value, std::int64_t by) {
  return value / by + (value % by != 0 ? 1 : 0);
}

std::int64_t default_slice_size(InputKind kind, const std::vector<Input> &inputs, std::int32_t workers) {
  switch (kind) {
    case InputKind::None:
    case InputKind::File: return 1;
    case InputKind::Lines:
    case InputKind::Records: return kDefaultBytes;
    case InputKind::Range:
    case InputKind::Items: break;
  }
  std::int64_t all = 0;
  for (const Input &input : inputs) all += std::max<std::int64_t>(input.size, 0);
  return divide_up(all, kSlicesPerWorker * std::max(workers, 1));
}

std::int64_t extent_of(InputKind kind, const Input &input) {
  if (input.size < 0) return 0;
  return kind == InputKind::File ? std::max<std::int64_t>(input.size, 1) : input.size;
}

}  // namespace

bool Manifest::fits(const std::vector<Input> &inputs) {
  std::int64_t left = kMaxPositions;
  for (const Input &input : inputs) {
    const std::int64_t extent = extent_of(InputKind::File, input);  // that of no kind is larger
    if (extent >= left) return false;
    left -= extent;
  }
  return true;
}

Manifest::Manifest(InputKind kind, std::vector<Input> inputs, std::int64_t slice_size, std::int64_t unit,
                   std::int64_t base, ItemList items, std::int32_t workers)
    : kind_(kind),
      slice_size_(slice_size > 0 ? slice_size : default_slice_size(kind, inputs, workers)),
      unit_(std::max<std::int64_t>(unit, 1)),
      base_(base) {
  slice_size_ = std::max<std::int64_t>(slice_size_, 1);
  if (kind_ == InputKind::Records) slice_size_ = std::max(slice_size_ - slice_size_ % unit_, unit_);
  if (inputs.empty() && items.all().empty()) {  // of every service
    static const auto none = std::make_shared<const Parts>();
    parts_ = none;
    return;
  }
  Parts parts;
  parts.inputs = std::move(inputs);
  parts.items = std::move(items);
  parts.offsets.reserve(parts.inputs.size() + 1);
  parts.slices_before.reserve(parts.inputs.size() + 1);
  for (const Input &input : parts.inputs) {
    const std::int64_t extent = extent_of(kind_, input);
    parts.offsets.push_back(parts.offsets.back() + extent);
    parts.slices_before.push_back(parts.slices_before.back() + slices_of(extent));
  }
  parts_ = std::make_shared<const Parts>(std::move(parts));
}

std::int64_t Manifest::slices_of(std::int64_t extent) const {
  if (kind_ == InputKind::File) return extent > 0 ? 1 : 0;
  return divide_up(extent, slice_size_);
}

std::int64_t Manifest::positions() const {
  return parts_->offsets.back();
}

std::int64_t Manifest::slice_count() const {
  return parts_->slices_before.back();
}

std::int64_t Manifest::extent(std::int32_t input) const {
  return parts_->offsets[static_cast<std::size_t>(input) + 1] - offset(input);
}

std::int32_t Manifest::input_at(std::int64_t p) const {
  const auto after = std::upper_bound(parts_->offsets.begin(), parts_->offsets.end(), p);
  return static_cast<std::int32_t>(after - parts_->offsets.begin()) - 1;
}

Interval Manifest::local(std::int32_t input, Interval global) const {
  const std::int64_t shift = base_ - offset(input);
  Interval local{global.begin + shift, global.end + shift};
  if (kind_ == InputKind::File) local.end = std::min(local.end, parts_->inputs[static_cast<std::size_t>(input)].size);
  return local;
}

SliceSpan Manifest::slice_at(std::int64_t p, Interval within) const {
  SliceSpan span;
  span.input = input_at(p);
  const std::int64_t first = offset(span.input);
  const std::int64_t extent_end = first + extent(span.input);
  const std::int64_t ordinal = kind_ == InputKind::File ? 0 : (p - first) / slice_size_;
  span.index = parts_->slices_before[static_cast<std::size_t>(span.input)] + ordinal;
  std::int64_t begin = first + ordinal * slice_size_;
  std::int64_t end = extent_end;
  if (kind_ != InputKind::File && extent_end - begin > slice_size_) end = begin + slice_size_;
  begin = std::max(begin, within.begin);
  end = std::min(end, within.end);
  span.global = {begin, end};
  const Interval own = local(span.input, span.global);
  span.begin = own.begin;
  span.end = own.end;
  return span;
}

std::int64_t Manifest::rank(std::int64_t p) const {
  if (p <= 0) return 0;
  if (p >= positions()) return slice_count();
  const std::int32_t input = input_at(p);
  return parts_->slices_before[static_cast<std::size_t>(input)] + slices_of(p - offset(input));
}

std::int64_t Manifest::slices_in(Interval interval) const {
  return rank(interval.end) - rank(interval.begin);
}

std::int64_t Manifest::end_of_run(std::int64_t p, std::int64_t n) const {
  const std::int64_t index = slice_at(p).index;
  if (n >= slice_count() - index) return positions();
  const std::int64_t target = index + n;  // the first slice that is no longer of the run
  const auto after = std::upper_bound(parts_->slices_before.begin(), parts_->slices_before.end(), target);
  const auto input = static_cast<std::size_t>(after - parts_->slices_before.begin()) - 1;
  return parts_->offsets[input] + (target - parts_->slices_before[input]) * slice_size_;
}

}  // namespace hostler
