// `recycle:`: a worker makes place for a new process once it has done so much, or has grown so large. It is told to stop as
// for a reload, and nothing is charged for it.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "core/human_text.h"
#include "core/units.h"
#include "entry.h"

namespace hostler {
namespace {

// Nobody is weighed more often.
constexpr Duration kBetweenWeighings = std::chrono::seconds(1);

}  // namespace

const std::string &Entry::why_spent(Slot &slot) {
  const RecycleConfig &limits = config().recycle;
  if (!slot.spent.empty()) return slot.spent;
  if (limits.slices > 0 && slice_quota(slot) <= 0) slot.spent = counted(slot.slices_given, "slice");
  const TimePoint now = around_.system.now();
  if (limits.memory == 0 || now - slot.weighed < kBetweenWeighings) return slot.spent;
  slot.weighed = now;
  const std::int64_t resident = around_.system.resident(*slot.worker);
  const auto most = static_cast<std::int64_t>(static_cast<double>(limits.memory) * (1 - slot.early));
  if (resident > most) slot.spent = format_size(resident) + " of memory";
  return slot.spent;
}

std::int64_t Entry::slice_quota(const Slot &slot) const {
  const std::int64_t limit = config().recycle.slices;
  if (limit == 0) return std::numeric_limits<std::int64_t>::max();
  const auto early = static_cast<std::int64_t>(static_cast<double>(limit) * slot.early);
  return std::max<std::int64_t>(limit - early, 1) - slot.slices_given;
}

void Entry::recycle(Slot &slot) {
  log(LogLevel::Info, fmt::format("{}: makes place for a new process after {}", slot_name(slot), slot.spent));
  apply(slot, WorkerEvent::Replaced);
}

}  // namespace hostler
