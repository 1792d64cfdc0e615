// A crash loop without a delay must not take the machine from other entries: workers that have failed by themselves within
// moments of their start, more than once in a row, are tried again by turns, one of their entry at a time. The first
// restart waits for nobody.
#include "entry.h"

namespace hostler {
namespace {

constexpr Duration kMoments = std::chrono::milliseconds(200);
// Then it is the next one's turn, loaded or not.
constexpr Duration kLongestTurn = std::chrono::seconds(1);

}  // namespace

void Entry::note_life(Slot &slot, bool failed) {
  const bool is_short = around_.system.now() - slot.spawned_since < kMoments;
  slot.short_lives = failed && is_short ? slot.short_lives + 1 : 0;
}

void Entry::due(Slot &slot) {
  if (slot.short_lives < 2) return apply(slot, WorkerEvent::Due);
  slot.in_turn = true;
  turns_.push_back(slot.instance);
  if (!in_its_turn_) give_turn();
}

// The slot has left the state in which it waited, or in which it was tried: it is loaded, or has failed again.
void Entry::end_turn(Slot &slot) {
  slot.in_turn = false;
  if (in_its_turn_ != slot.instance) return;
  in_its_turn_.reset();
  turn_.cancel();
  // Not at once: whoever calls is in the middle of a change.
  if (!turns_.empty()) turn_.set(around_.system.now(), [this] { give_turn(); });
}

void Entry::give_turn() {
  in_its_turn_.reset();
  while (!turns_.empty() && !in_its_turn_) {
    const std::int32_t instance = turns_.front();
    turns_.pop_front();
    if (static_cast<std::size_t>(instance) >= slots_.size()) continue;
    Slot &slot = *slots_[static_cast<std::size_t>(instance)];
    if (!slot.in_turn) continue;
    apply(slot, WorkerEvent::Due);
    in_its_turn_ = instance;
    turn_.set(around_.system.now() + kLongestTurn, [this] { give_turn(); });
  }
}

}  // namespace hostler
