// tick: a service that says every `interval` seconds that it is there, until it is asked to stop.
#include <poll.h>
#include <hostler/plugin.hpp>

#include <cerrno>

HOSTLER_PLUGIN("tick", "1.0.0", 0);

namespace {

constexpr double kLongestInterval = 86400;

int interval_ms(const hostler::Slice &slice) {
  const double seconds = slice.param("interval", 1.0);
  if (!(seconds >= 0.001 && seconds <= kLongestInterval)) {
    throw hostler::Verdict(HOSTLER_BAD_CONFIG, "the parameter 'interval' must be between 0.001 and 86400 seconds");
  }
  return static_cast<int>(seconds * 1000);
}

/// Sleeps, but not through a request to stop. True: go on.
bool rest(int stop_fd, int milliseconds) {
  pollfd stop{stop_fd, POLLIN, 0};
  const int woken = ::poll(&stop, 1, milliseconds);
  return woken == 0 || (woken < 0 && errno == EINTR);
}

void tick(hostler::Slice &slice) {
  if (slice->kind != HOSTLER_NONE) throw hostler::Verdict(HOSTLER_BAD_CONFIG, "tick is a service: it takes no input:");
  const int pause = interval_ms(slice);
  const int stop_fd = slice.stop_fd();
  slice.ready();
  int64_t number = 0;
  do {
    slice.heartbeat();
    slice.log("instance " + std::to_string(slice->index) + " of " + std::to_string(slice.count()) + ": tick " +
              std::to_string(++number));
  } while (rest(stop_fd, pause) && slice.should_stop() == HOSTLER_GO_ON);
  slice.log("instance " + std::to_string(slice->index) + ": asked to stop after " + std::to_string(number) + " ticks");
}

}  // namespace

HOSTLER_RUN(tick)
