/* The only way into a plugin's run and merge. In C and compiled without unwind tables, so that an exception which nobody
 * in the plugin catches ends the process where it was thrown, with the stack that threw it, instead of unwinding into
 * the host's own frames. */
#pragma once

#include <hostler/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

int hostler_call_run(int (*run)(const hostler_slice_t *), const hostler_slice_t *slice);
int hostler_call_merge(int (*merge)(const hostler_slice_t *, hostler_results_t *), const hostler_slice_t *slice,
                       hostler_results_t *results);

#ifdef __cplusplus
}
#endif
