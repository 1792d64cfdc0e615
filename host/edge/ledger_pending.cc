// What a transaction writes once, at its end: counters, the rows of slices, and the lines of attempts.
#include <utility>

#include "edge/ledger.h"
#include "edge/ledger_steps.h"

namespace hostler {

Result<void> Ledger::add_to(const CounterKey &counter, std::int64_t delta) {
  const auto &[key, merge, name] = counter;
  auto known = counters_.find(counter);
  if (known == counters_.end()) {
    const Result<std::optional<std::int64_t>> total = database_.number(
        "SELECT total FROM counter WHERE job = ? AND merge = ? AND name = ?", {key, sql_number(merge), name});
    if (!total) return tl::unexpected(total.error());
    known = counters_.emplace(counter, Total{total->value_or(0), false}).first;
  }
  counter_undo_.emplace_back(*known);
  known->second = {saturating_add(known->second.value, delta), true};
  return {};
}

void Ledger::change_row(const RowKey &at, PendingRow row) {
  const auto [known, is_new] = rows_.try_emplace(at);
  row_undo_.emplace_back(at, is_new ? std::nullopt : std::optional(std::move(known->second)));
  known->second = std::move(row);
}

void Ledger::change_attempt(const AttemptKey &at, const Attempt &attempt) {
  const auto [known, is_new] = attempts_.try_emplace(at);
  attempt_undo_.emplace_back(at, is_new ? std::nullopt : std::optional(std::move(known->second)));
  known->second = attempt;
}

void Ledger::forget_transaction() {
  keys_.clear();
  counters_.clear();
  rows_.clear();
  attempts_.clear();
  builds_.clear();
  counter_undo_.clear();
  row_undo_.clear();
  attempt_undo_.clear();
}

Result<void> Ledger::write_pending() {
  for (const auto &[at, row] : rows_) {
    const auto &[key, begin] = at;
    Result<void> written =
        row ? put_row(key, *row) : database_.run("DELETE FROM slice WHERE job = ? AND begin = ?", {key, begin});
    if (written) written = put_trouble(at, row ? row->trouble : Trouble{});
    if (!written) return written;
  }
  rows_.clear();
  for (const auto &[at, attempt] : attempts_)
    if (Result<void> written = put_attempt(at.first, attempt); !written) return written;
  attempts_.clear();
  for (auto &[counter, total] : counters_) {
    if (!total.changed) continue;
    const auto &[key, merge, name] = counter;
    Result<void> written = database_.run("INSERT OR REPLACE INTO counter VALUES (?, ?, ?, ?)",
                                         {key, sql_number(merge), name, total.value});
    if (!written) return written;
    total.changed = false;
  }
  return {};
}

void Ledger::undo_pending() {
  keys_.clear();
  troubled_.reset();
  for (; !counter_undo_.empty(); counter_undo_.pop_back())
    counters_[counter_undo_.back().first] = counter_undo_.back().second;
  for (; !row_undo_.empty(); row_undo_.pop_back()) {
    auto &[at, row] = row_undo_.back();
    if (row) {
      rows_[at] = std::move(*row);
    } else {
      rows_.erase(at);
    }
  }
  for (; !attempt_undo_.empty(); attempt_undo_.pop_back()) {
    auto &[at, attempt] = attempt_undo_.back();
    if (attempt) {
      attempts_[at] = std::move(*attempt);
    } else {
      attempts_.erase(at);
    }
  }
}

}  // namespace hostler
