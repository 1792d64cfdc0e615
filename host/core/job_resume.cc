// --resume: a new manifest around what is done.
#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "core/job.h"

namespace hostler {
namespace {

bool is_kept(const Manifest &planned, const SliceRow &row) {
  return (row.state == SliceState::Done || row.state == SliceState::Committing) && row.begin < planned.positions();
}

// The row, or a part of it, at its new place; joined with the one before when nothing tells them apart.
void add_row(std::vector<SliceRow> &rows, SliceRow row, Interval at) {
  row.state = SliceState::Done;
  row.begin = at.begin;
  row.end = at.end;
  if (!rows.empty() && rows.back().end == row.begin && rows.back().plain() && row.plain()) {
    rows.back().end = row.end;
  } else {
    rows.push_back(std::move(row));
  }
}

tl::unexpected<Error> cannot_keep(const std::string &what) {
  return fail({}, "cannot resume: " + what, "begin anew with --fresh, or put it back as it was");
}

// Range and Items: one input whose positions have numbers of their own.
Result<Resumed> resume_numbered(const Manifest &planned, const std::vector<SliceRow> &rows, const Manifest &wanted) {
  Resumed resumed{wanted, {}};
  const std::int64_t shift = planned.base() - wanted.base();
  for (const SliceRow &row : rows) {
    if (!is_kept(planned, row)) continue;
    const Interval at{row.begin + shift, row.end + shift};
    if (at.begin < 0 || at.end > wanted.positions()) {
      // Only the part that is missing, at its end if it is missing at both.
      const bool behind = at.end > wanted.positions();
      const std::int64_t first = behind ? std::max(at.begin, wanted.positions()) : at.begin;
      const std::int64_t last = behind ? at.end - 1 : std::min<std::int64_t>(at.end, 0) - 1;
      return cannot_keep(
          fmt::format("{} to {} are done and no longer in the input", first + wanted.base(), last + wanted.base()));
    }
    if (wanted.kind() == InputKind::Items) {
      const auto from = planned.items().begin();
      const auto differs = std::mismatch(from + row.begin, from + row.end, wanted.items().begin() + at.begin);
      if (differs.first != from + row.end)
        return cannot_keep(fmt::format("item {} is done and has changed", differs.first - from));
    }
    add_row(resumed.rows, row, at);
  }
  return resumed;
}

// The part of a row that lies in one input.
struct Piece {
  const SliceRow *row;
  std::int32_t input;
  Interval local;  // from the input's first position
};

std::vector<Piece> pieces_of(const Manifest &planned, const std::vector<SliceRow> &rows) {
  std::vector<Piece> pieces;
  for (const SliceRow &row : rows) {
    if (!is_kept(planned, row)) continue;
    for (std::int64_t p = row.begin; p < row.end;) {
      const std::int32_t input = planned.input_at(p);
      const std::int64_t offset = planned.offset(input);
      const std::int64_t end = std::min(row.end, offset + planned.extent(input));
      pieces.push_back({&row, input, {p - offset, end - offset}});
      p = end;
    }
  }
  return pieces;
}

// The new inputs by the old ordinals, then those that are new.
Result<std::vector<Input>> place_inputs(const Manifest &planned, const std::vector<Piece> &pieces,
                                        const Manifest &wanted) {
  std::vector<bool> kept(planned.inputs().size(), false);
  for (const Piece &piece : pieces) kept[static_cast<std::size_t>(piece.input)] = true;
  std::unordered_map<std::string_view, const Input *> left;
  for (const Input &input : wanted.inputs()) left.emplace(input.path, &input);
  std::vector<Input> inputs;
  inputs.reserve(planned.inputs().size());
  for (std::size_t i = 0; i < planned.inputs().size(); ++i) {
    Input input = planned.inputs()[i];
    const auto now = left.find(input.path);
    if (kept[i] && now == left.end())
      return cannot_keep("input " + input.path + " has slices that are done, and is gone");
    if (kept[i] && *now->second != input)
      return cannot_keep("input " + input.path + " has slices that are done, and changed");
    if (now == left.end()) {
      input.size = kGone;
    } else {
      input = *now->second;
      left.erase(now);
    }
    inputs.push_back(std::move(input));
  }
  for (const Input &input : wanted.inputs())
    if (left.contains(input.path)) inputs.push_back(input);
  return inputs;
}

Result<Resumed> resume_files(const Manifest &planned, const std::vector<SliceRow> &rows, const Manifest &wanted) {
  const std::vector<Piece> pieces = pieces_of(planned, rows);
  if (!pieces.empty() && planned.unit() != wanted.unit())
    return cannot_keep(
        fmt::format("records of {} bytes are done, and their size is now {}", planned.unit(), wanted.unit()));
  Result<std::vector<Input>> inputs = place_inputs(planned, pieces, wanted);
  if (!inputs) return tl::unexpected(inputs.error());
  Resumed resumed{Manifest(wanted.kind(), *std::move(inputs), wanted.slice_size(), wanted.unit(), wanted.base(), {}, 1),
                  {}};
  for (const Piece &piece : pieces) {
    const std::int64_t offset = resumed.manifest.offset(piece.input);
    add_row(resumed.rows, *piece.row, {piece.local.begin + offset, piece.local.end + offset});
  }
  return resumed;
}

// Is a slice, and what lies in it, what it was?
bool is_same(const Manifest &planned, Interval was, const Manifest &wanted, Interval now) {
  if (planned.kind() != wanted.kind() || planned.unit() != wanted.unit()) return false;
  if (now.begin < 0 || now.end > wanted.positions()) return false;
  if (wanted.slice_at(now.begin, now).global != now) return false;
  switch (wanted.kind()) {
    case InputKind::None: return false;
    case InputKind::Range: return true;
    case InputKind::Items:
      return std::equal(planned.items().begin() + was.begin, planned.items().begin() + was.end,
                        wanted.items().begin() + now.begin);
    case InputKind::Lines:
    case InputKind::Records:
    case InputKind::File: break;
  }
  const auto input = static_cast<std::size_t>(planned.input_at(was.begin));
  return wanted.inputs()[input] == planned.inputs()[input];
}

// Slices that have not ended and go on at their checkpoints, at their new places.
void keep_slices(const Manifest &planned, const std::vector<SliceRow> &rows, Resumed &resumed) {
  const Manifest &wanted = resumed.manifest;
  const bool numbered = planned.kind() == InputKind::Range || planned.kind() == InputKind::Items;
  std::vector<SliceRow> kept;
  for (const SliceRow &row : rows) {
    if (!row.checkpoint) continue;
    const SliceSpan slice = planned.slice_at(row.begin, {row.begin, row.end});
    const std::int32_t input = slice.input;
    if (static_cast<std::size_t>(input) >= wanted.inputs().size()) continue;
    const std::int64_t shift = numbered ? planned.base() - wanted.base() : wanted.offset(input) - planned.offset(input);
    const Interval now{slice.global.begin + shift, slice.global.end + shift};
    if (!is_same(planned, slice.global, wanted, now)) continue;
    auto checkpoint = std::make_shared<Checkpoint>(*row.checkpoint);
    checkpoint->position += shift;
    kept.push_back({now.begin, now.end, SliceState::Ready, 0, 0, {}, std::move(checkpoint)});
  }
  const auto first = static_cast<std::ptrdiff_t>(resumed.rows.size());
  std::move(kept.begin(), kept.end(), std::back_inserter(resumed.rows));
  std::inplace_merge(resumed.rows.begin(), resumed.rows.begin() + first, resumed.rows.end(),
                     [](const SliceRow &a, const SliceRow &b) { return a.begin < b.begin; });
}

Result<Resumed> resume_done(const Manifest &planned, const std::vector<SliceRow> &rows, const Manifest &wanted) {
  const bool nothing_done =
      std::none_of(rows.begin(), rows.end(), [&](const SliceRow &row) { return is_kept(planned, row); });
  if (planned.kind() != wanted.kind()) {
    if (nothing_done) return Resumed{wanted, {}};
    return cannot_keep("the kind of its input has changed");
  }
  switch (wanted.kind()) {
    case InputKind::None: break;
    case InputKind::Range:
    case InputKind::Items: return resume_numbered(planned, rows, wanted);
    case InputKind::Lines:
    case InputKind::Records:
    case InputKind::File: return resume_files(planned, rows, wanted);
  }
  return Resumed{wanted, {}};
}

}  // namespace

Result<Resumed> resume_job(const Manifest &planned, const std::vector<SliceRow> &rows, const Manifest &wanted,
                           bool keep_checkpoints) {
  const bool nothing_kept = std::none_of(rows.begin(), rows.end(), [&](const SliceRow &row) {
    return is_kept(planned, row) || (keep_checkpoints && row.checkpoint);
  });
  if (nothing_kept) return Resumed{wanted, {}};
  Result<Resumed> resumed = resume_done(planned, rows, wanted);
  if (resumed && keep_checkpoints) keep_slices(planned, rows, *resumed);
  return resumed;
}

}  // namespace hostler
