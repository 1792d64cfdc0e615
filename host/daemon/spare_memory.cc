#include "daemon/spare_memory.h"

#include <chrono>
#include <utility>

#include "worker/own_memory.h"

namespace hostler {
namespace {

// So many births are a wave, which is over when for so long nothing is heard of any worker.
constexpr std::uint64_t kWave = 250;
constexpr Duration kQuiet = std::chrono::milliseconds(100);
// On a machine that is busy with something else a worker may be slower than that: who is heard in that time belongs to it.
constexpr Duration kLate = std::chrono::seconds(2);
// Bytes: a status of thousands of workers takes several times as much to make.
constexpr std::size_t kLargeReply = std::size_t{1} << 20;

}  // namespace

void SpareMemory::look_at_fleet() {
  if (fleet_.births() >= births_ + kWave)
    in_wave_ = true;
  else if (EventLoop::now() >= late_)
    return;
  need();
}

void SpareMemory::note_reply(std::size_t bytes) {
  if (bytes >= kLargeReply) need();
}

void SpareMemory::need() {
  if (!std::exchange(is_needed_, true)) await_quiet();
}

void SpareMemory::await_quiet() {
  heard_ = fleet_.heard();
  quiet_.set(EventLoop::now() + kQuiet, [this] {
    if (fleet_.heard() != heard_) return await_quiet();
    is_needed_ = false;
    births_ = fleet_.births();
    if (std::exchange(in_wave_, false)) late_ = EventLoop::now() + kLate;
    give_back_memory();
  });
}

}  // namespace hostler
