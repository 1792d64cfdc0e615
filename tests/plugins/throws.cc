// Lets an exception out of run(), past everything that could catch it.
#include <hostler/plugin.h>

#include <stdexcept>

extern "C" {
HOSTLER_PLUGIN("throws", "1.0.0", 0);

int run(const hostler_slice_t *slice) {
  if (slice->index >= 0) throw std::runtime_error("nobody catches this");
  return HOSTLER_DONE;
}
}
