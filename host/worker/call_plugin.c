#include "worker/call_plugin.h"

/* Something must follow the call, else it becomes a jump and this frame is not there when an exception looks for it. */
#define STAY_ON_THE_STACK() __asm__ volatile("" ::: "memory")

int hostler_call_run(int (*run)(const hostler_slice_t *), const hostler_slice_t *slice) {
  const int returned = run(slice);
  STAY_ON_THE_STACK();
  return returned;
}

int hostler_call_merge(int (*merge)(const hostler_slice_t *, hostler_results_t *), const hostler_slice_t *slice,
                       hostler_results_t *results) {
  const int returned = merge(slice, results);
  STAY_ON_THE_STACK();
  return returned;
}
