#include <hostler/plugin.h>

HOSTLER_PLUGIN("undefined_symbol", "1.0.0", 0);

int nowhere_to_be_found(void);

int run(const hostler_slice_t *slice) {
  return slice == 0 ? 0 : nowhere_to_be_found();
}
