/* Linked to the shipped tick plugin, whose own run() is called tick_run() for this: reports before it does anything. */
#include <hostler/plugin.h>

#include "board.h"

int tick_run(const hostler_slice_t *slice);

HOSTLER_EXPORT int run(const hostler_slice_t *slice) {
  board_report(slice->host->param(slice, "board"), slice->index);
  return tick_run(slice);
}
