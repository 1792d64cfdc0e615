// Slices during which the host has died (core/host_deaths.h).
#include <utility>

#include "core/host_deaths.h"
#include "core/job.h"

namespace hostler {

void Job::host_died_in(const DiedIn &death) {
  if (!death.in_run) return;
  std::optional<SliceRow> row = table_.take_waiting(death.begun);
  if (!row) return;
  add_death(row->trouble, death);
  if (is_guilty(row->trouble)) {
    ++row->attempts;
    (void)quarantine(std::move(*row), "the host died while it ran, again and again, at last with nothing else at work",
                     "quarantined");
    settle();
    return;
  }
  row->reason = "the host died while it ran";
  table_.give_back(std::move(*row));
}

// Of a slice that waits to be handed out.
void Job::change_trouble(std::int64_t begin, const std::function<void(Trouble &)> &change) {
  std::optional<SliceRow> row = table_.take_waiting(begin);
  if (!row) return;
  change(row->trouble);
  table_.give_back(std::move(*row));
}

bool Job::wants_solitude(TimePoint now) const {
  if (!may_hand_out(now) || table_.untouched_slices() > 0 || !table_.ready().empty() || !waiting_.empty() ||
      table_.slices(SliceState::Leased) > 0 || table_.slices(SliceState::Committing) > 0)
    return false;
  return !table_.dangerous().empty() || (merge_is_ready() && merge_is_dangerous());
}

bool Job::merge_is_dangerous() const {
  const SliceRow *merge = table_.find(table_.merge_position());
  return merge != nullptr && is_dangerous(merge->trouble);
}

std::int64_t Job::next_alone() const {
  return table_.dangerous().empty() ? table_.merge_position() : *table_.dangerous().begin();
}

Duration Job::wait_alone() {
  const std::int64_t begin = next_alone();
  change_trouble(begin, [](Trouble &trouble) { trouble.waits = true; });
  return quiet_before(table_.find(begin)->trouble);
}

std::optional<Lease> Job::lease_alone(WorkerId worker, TimePoint now) {
  if (!wants_solitude(now)) return std::nullopt;
  const std::int64_t begin = next_alone();
  change_trouble(begin, [](Trouble &trouble) { trouble.waits = false; });
  return lease_again(worker, begin);
}

}  // namespace hostler
