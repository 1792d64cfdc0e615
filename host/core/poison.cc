#include "core/poison.h"

#include <algorithm>

namespace hostler {
namespace {

// From local positions of the slice to global ones.
Interval global(const SliceSpan &slice, Interval local) {
  const std::int64_t shift = slice.global.begin - slice.begin;
  return {std::max(local.begin, slice.begin) + shift, std::min(local.end, slice.end) + shift};
}

// The record that a position lies in, of kinds whose records all have the same size.
Interval record_at(const Manifest &plan, const SliceSpan &slice, std::int64_t position) {
  const std::int64_t begin = position - (position - slice.begin) % plan.unit();
  return {begin, begin + plan.unit()};
}

std::string item(const Manifest &plan, std::int64_t position) {
  const std::int64_t number = position - plan.base();
  if (number < 0 || static_cast<std::size_t>(number) >= plan.items().size()) return {};
  return plan.items()[static_cast<std::size_t>(number)].substr(0, static_cast<std::size_t>(kMostRecordBytes));
}

}  // namespace

Suspicion suspicion(const WorkerPart &page, Interval slice, std::int64_t unit) {
  const auto within = [&](std::int64_t begin, std::int64_t end) {
    if (begin < slice.begin || begin >= end || end > slice.end) return false;
    return (begin - slice.begin) % unit == 0 && (end == slice.end || (end - slice.begin) % unit == 0);
  };
  Suspicion found{slice, std::nullopt};
  if (within(page.claimed_from, page.claimed_to)) found.block = {page.claimed_from, page.claimed_to};
  if (page.at >= found.block.begin && page.at < found.block.end) found.at = page.at;
  return found;
}

std::optional<RecordQuery> query_for(const Suspicion &suspicion, const Manifest &plan, const SliceSpan &slice) {
  const auto input = static_cast<std::size_t>(slice.input);
  if (plan.kind() == InputKind::Lines)
    return RecordQuery{plan.inputs()[input], InputKind::Lines, suspicion.block, suspicion.at};
  const auto known = culprit(suspicion, plan, slice, std::nullopt);
  if (plan.kind() != InputKind::Records || !known->is_record) return std::nullopt;
  return RecordQuery{plan.inputs()[input], InputKind::Records, known->record, std::nullopt};
}

std::optional<Culprit> culprit(const Suspicion &suspicion, const Manifest &plan, const SliceSpan &slice,
                               const std::optional<FoundRecord> &found) {
  const Interval block = suspicion.block;
  Culprit blamed;
  blamed.is_marked = suspicion.at.has_value();
  switch (plan.kind()) {
    case InputKind::None:
    case InputKind::File: return std::nullopt;
    case InputKind::Lines: {
      const bool in_block = found && found->at.begin >= block.begin && found->at.begin < block.end;
      if (!in_block || found->at.end <= found->at.begin) return std::nullopt;
      blamed.is_record = blamed.is_marked || found->alone;
      blamed.record = found->at;
      break;
    }
    case InputKind::Range:
    case InputKind::Records:
    case InputKind::Items:
      blamed.is_record = blamed.is_marked || block.end - block.begin <= plan.unit();
      blamed.record = record_at(plan, slice, suspicion.at.value_or(block.begin));
      break;
  }
  blamed.stretch = global(slice, blamed.is_record ? blamed.record : block);
  if (!blamed.is_record) blamed.record = {};
  if (blamed.is_record && found) blamed.bytes = found->bytes;
  if (blamed.is_record && plan.kind() == InputKind::Items) blamed.bytes = item(plan, blamed.record.begin);
  return blamed;
}

}  // namespace hostler
