/* The layout of plugin.h 1.0, frozen: what stands here is never changed, only added to. Included once per language, see
 * CMakeLists.txt. */
#include <hostler/plugin.h>

#ifdef __cplusplus
#define FROZEN(condition) static_assert(condition, #condition)
#else
#define FROZEN(condition) _Static_assert(condition, #condition)
#endif

#define AT(type, field, offset) FROZEN(offsetof(hostler_##type##_t, field) == (offset))

FROZEN(HOSTLER_ABI_MAJOR == 1 && HOSTLER_ABI_MINOR == 0);

#if INTPTR_MAX == INT64_MAX

AT(plugin, magic, 0);
AT(plugin, struct_size, 8);
AT(plugin, abi_major, 16);
AT(plugin, abi_minor, 20);
AT(plugin, flags, 24);
AT(plugin, state_version, 32);
AT(plugin, id, 40);
AT(plugin, version, 48);
FROZEN(sizeof(hostler_plugin_t) == 56);

AT(slice, struct_size, 0);
AT(slice, index, 8);
AT(slice, count, 16);
AT(slice, attempt, 24);
AT(slice, kind, 28);
AT(slice, input, 32);
AT(slice, path, 40);
AT(slice, begin, 48);
AT(slice, end, 56);
AT(slice, unit, 64);
AT(slice, items, 72);
AT(slice, resume, 80);
AT(slice, checkpoint, 88);
AT(slice, checkpoint_size, 96);
AT(slice, worker, 104);
AT(slice, job_id, 112);
AT(slice, host, 120);
FROZEN(sizeof(hostler_slice_t) == 128);

AT(host, struct_size, 0);
AT(host, claim, 8);
AT(host, at, 16);
AT(host, heartbeat, 24);
AT(host, progress, 32);
AT(host, should_stop, 40);
AT(host, stop_fd, 48);
AT(host, checkpoint, 56);
AT(host, output, 64);
AT(host, result, 72);
AT(host, counter, 80);
AT(host, skip, 88);
AT(host, fail, 96);
AT(host, log, 104);
AT(host, param, 112);
AT(host, ready, 120);
AT(host, count, 128);
AT(host, extension, 136);
FROZEN(sizeof(hostler_host_t) == 144);

AT(range, struct_size, 0);
AT(range, input, 8);
AT(range, begin, 16);
AT(range, end, 24);
AT(range, result, 32);
AT(range, result_size, 40);
AT(range, files, 48);
AT(range, file_count, 56);
AT(range, reason, 64);
FROZEN(sizeof(hostler_range_t) == 72);

AT(results, struct_size, 0);
AT(results, next, 8);
AT(results, counter, 16);
AT(results, quarantined, 24);
FROZEN(sizeof(hostler_results_t) == 32);

#endif

/* Numbers that cross the ABI are never reused. */
FROZEN(HOSTLER_DONE == 0 && HOSTLER_BAD_DATA == 65 && HOSTLER_ERROR == 70 && HOSTLER_RETRY_LATER == 75);
FROZEN(HOSTLER_BAD_CONFIG == 78 && HOSTLER_YIELD == 85);
FROZEN(HOSTLER_NONE == 0 && HOSTLER_RANGE == 1 && HOSTLER_LINES == 2);
FROZEN(HOSTLER_RECORDS == 3 && HOSTLER_FILE == 4 && HOSTLER_ITEMS == 5);
FROZEN(HOSTLER_GO_ON == 0 && HOSTLER_DRAIN == 1 && HOSTLER_CANCEL == 2 && HOSTLER_DEADLINE == 3);
FROZEN(HOSTLER_LOG_DEBUG == 0 && HOSTLER_LOG_INFO == 1 && HOSTLER_LOG_WARNING == 2 && HOSTLER_LOG_ERROR == 3);
FROZEN(HOSTLER_SPLITTABLE == 1 && HOSTLER_STRUCT_ROOM == 1024);
FROZEN(HOSTLER_MAGIC == INT64_C(0x0052454C54534F48));

/* The macros in use, so that their expansion is compiled with every warning on. */
HOSTLER_PLUGIN_WITH_STATE("frozen", "1.0.0", HOSTLER_SPLITTABLE, 3);

int run(const hostler_slice_t *slice) {
  return slice->host->heartbeat(slice) < 0 ? HOSTLER_ERROR : HOSTLER_DONE;
}
int prepare(const hostler_slice_t *slice) {
  return slice->host->param(slice, "table") ? HOSTLER_DONE : HOSTLER_BAD_CONFIG;
}
int merge(const hostler_slice_t *slice, hostler_results_t *results) {
  return slice->host->counter(slice, "ranges", results->counter(results, "ranges")) < 0 ? HOSTLER_ERROR : HOSTLER_DONE;
}
