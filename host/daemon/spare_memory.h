// What of its memory the host needed for a while only, given back in the quiet after that: thousands that start, or die and
// start again, or are told of. A host with nothing to do is not woken. The loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "edge/event_loop.h"
#include "edge/fleet.h"

namespace hostler {

class SpareMemory {
 public:
  // The fleet must stay.
  SpareMemory(EventLoop &loop, const Fleet &fleet) : fleet_(fleet), quiet_(loop) {}

  // Something of the fleet has changed: it may be a wave of births.
  void look_at_fleet();
  // A reply of so many bytes has been made.
  void note_reply(std::size_t bytes);

 private:
  void need();
  void await_quiet();

  const Fleet &fleet_;
  std::uint64_t births_ = 0;  // by the last quiet
  std::uint64_t heard_ = 0;   // of the workers, a moment before the one that is awaited
  bool is_needed_ = false;    // until the next quiet
  bool in_wave_ = false;
  TimePoint late_{};  // until then somebody may be late for the last wave
  EventLoop::Timer quiet_;
};

}  // namespace hostler
