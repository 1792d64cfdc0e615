/*
 * hostler/plugin.h: the whole ABI between hostler and a plugin. C11 and later, C++17 and later; no dependency.
 *
 * A plugin is a shared object that exports `hostler_plugin` (who it is) and `run` (what it does). hostler starts worker
 * processes, loads the plugin in each and calls run() with one slice of the data after another:
 *
 *     #include <hostler/plugin.h>
 *     HOSTLER_PLUGIN("primes", "1.0.0", HOSTLER_SPLITTABLE);
 *
 *     int run(const hostler_slice_t *slice) {
 *         int64_t found = 0;
 *         for (int64_t n = slice->resume; slice->host->claim(slice, n, n + 1) > n; n++) found += is_prime(n);
 *         slice->host->counter(slice, "primes", found);
 *         return HOSTLER_DONE;
 *     }
 *
 * Rules that hold everywhere
 *   Numbers    Positions, sizes and counts are int64_t; all else is int32_t, which is int. There is no enum and no bool.
 *   Strings    End in a zero. Paths and items are bytes as they are in the file system and in workers.yaml; all else is
 *              UTF-8. Bytes (results, checkpoints) have a size and no particular alignment: copy what you want to read
 *              as something larger. Of size 0 their pointer may be anything, NULL too, in both directions.
 *   Returns    A call returns 0 or more, or -errno. -EINVAL: an argument breaks the rule of the call. -EMSGSIZE: longer
 *              than the call allows. -EPERM: not in this function, or in a process that the worker forked.
 *              output, result and counter are for jobs: in a service they are -EPERM.
 *   Threads    R: on the thread that runs run() (merge(), prepare()) only. A: on any thread. None in a signal handler.
 *   Unwinding  Nothing may unwind out of what the plugin exports: no C++ exception, no panic, no longjmp. It is a crash.
 *   Ownership  What you hand in is copied before the call returns. What a slice points at, and what a call returns,
 *              belongs to the host, lives until run() returns and is neither changed nor freed, unless a note says
 *              otherwise.
 *   State      A process runs one function of one plugin at a time: what is to last from one slice to the next, or is to
 *              be found by other threads, may stand in static variables.
 *   Growth     A host takes every plugin of its own major number whose minor number is not above its own, for good: what
 *              stands here keeps its place and its meaning. Structs are only appended to; limits are only raised; new
 *              kinds of slices, stop words and flags may come. So return HOSTLER_BAD_CONFIG for a kind that you do not
 *              know, and compare stop words by <. The host backs the slice and its two tables with 1024 zero-filled bytes
 *              each: a field or call that it does not know yet reads as 0 or NULL, and a plugin that looks before it uses
 *              one may name a lower minor number than the header's, so that older hosts take it too.
 */
#pragma once

/* NOLINTBEGIN(modernize-*): this is C too. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a symbol visible to the host, also under -fvisibility=hidden. */
#define HOSTLER_EXPORT __attribute__((visibility("default")))

/* The ABI of this header. */
#define HOSTLER_ABI_MAJOR 1
#define HOSTLER_ABI_MINOR 0

/* The first eight bytes of hostler_plugin: "HOSTLER" and a zero on a little-endian machine. */
#define HOSTLER_MAGIC INT64_C(0x0052454C54534F48)

/* The host provides at least so many zero-filled bytes for each of hostler_slice_t, hostler_host_t and hostler_results_t. */
#define HOSTLER_STRUCT_ROOM 1024

/* ---- verdicts: what run, merge and prepare return ------------------------------------------------------------- */

#define HOSTLER_DONE 0         /* done: what the slice left is committed; a service is over */
#define HOSTLER_BAD_DATA 65    /* final: this slice is put aside, the others go on (a service: as BAD_CONFIG) */
#define HOSTLER_ERROR 70       /* failed: tried again later, a counted attempt. So is every number not listed here */
#define HOSTLER_RETRY_LATER 75 /* not now: tried again later, not counted as an attempt */
#define HOSTLER_BAD_CONFIG 78  /* final: the whole entry stops; a person has to look at its settings */
#define HOSTLER_YIELD 85       /* stopped early: go on from the last checkpoint, of which this attempt has made one */

/* ---- constants ------------------------------------------------------------------------------------------------ */

/* Plugin flags. SPLITTABLE: a slice may be cut at any position (a multiple of `unit`), and results, outputs and
 * counters of the parts add up to those of the whole. Only the author can know; without it no slice is ever cut. */
#define HOSTLER_SPLITTABLE 1

/* Slice kinds: what the positions of a slice are. */
#define HOSTLER_NONE 0    /* a service: no positions */
#define HOSTLER_RANGE 1   /* integers */
#define HOSTLER_LINES 2   /* byte offsets in `path`; owns the lines that start in [begin, end) */
#define HOSTLER_RECORDS 3 /* byte offsets in `path`, multiples of `unit` from `begin` */
#define HOSTLER_FILE 4    /* byte offsets in `path`, the whole file */
#define HOSTLER_ITEMS 5   /* item numbers: items[i] is item begin + i */

/* Stop words: what should_stop answers. A higher one is more urgent. */
#define HOSTLER_GO_ON 0
#define HOSTLER_DRAIN 1    /* finish this slice, there is no next one; a SPLITTABLE one ends at its next claim */
#define HOSTLER_CANCEL 2   /* leave soon; claims are refused from now on */
#define HOSTLER_DEADLINE 3 /* the slice's time is up; claims are refused from now on */

/* Log levels. */
#define HOSTLER_LOG_DEBUG 0
#define HOSTLER_LOG_INFO 1
#define HOSTLER_LOG_WARNING 2
#define HOSTLER_LOG_ERROR 3

/* Limits, in bytes unless said otherwise. Beyond them a call returns -EMSGSIZE. */
#define HOSTLER_MAX_RESULT 16777216     /* result: one slice */
#define HOSTLER_MAX_CHECKPOINT 16777216 /* checkpoint: one blob */
#define HOSTLER_MAX_OUTPUT_NAME 128     /* output: the name */
#define HOSTLER_MAX_COUNTER_NAME 64     /* counter: the name */
#define HOSTLER_MAX_COUNTERS 1024       /* counter: different names in one job */
#define HOSTLER_MAX_REASON 1024         /* fail, skip: the words are cut here, not refused */

/* ---- hostler_plugin: who the plugin is ------------------------------------------------------------------------ */

typedef struct hostler_plugin_t {
  int64_t magic;         /* HOSTLER_MAGIC */
  int64_t struct_size;   /* sizeof(hostler_plugin_t) as the plugin knows it */
  int32_t abi_major;     /* HOSTLER_ABI_MAJOR. Another one than the host's is refused */
  int32_t abi_minor;     /* HOSTLER_ABI_MINOR, or the least that will do. A higher one than the host's is refused */
  int64_t flags;         /* HOSTLER_SPLITTABLE, or 0. A bit that the host does not know is refused */
  int64_t state_version; /* of what checkpoint() saves: a new build gets an old checkpoint only if these are equal */
  const char *id;        /* never NULL. The plugin's name, for logs and lists; static storage */
  const char *version;   /* never NULL. The plugin's own version, free text; static storage */
} hostler_plugin_t;

/* The one symbol, besides run, that every plugin exports. Any language can write it; C and C++ use the macro. */
extern HOSTLER_EXPORT const hostler_plugin_t hostler_plugin;

/* Defines hostler_plugin, once per plugin, at file scope and followed by a semicolon. */
#define HOSTLER_PLUGIN(id, version, flags) HOSTLER_PLUGIN_WITH_STATE(id, version, flags, 0)

/* The same for a plugin whose checkpoints have a version. */
#define HOSTLER_PLUGIN_WITH_STATE(id, version, flags, state_version)                                                 \
  const hostler_plugin_t hostler_plugin = {                                                                          \
      HOSTLER_MAGIC, sizeof(hostler_plugin_t), HOSTLER_ABI_MAJOR, HOSTLER_ABI_MINOR, (flags), (state_version), (id), \
      (version)}

/* ---- hostler_slice_t: the work -------------------------------------------------------------------------------- */

typedef struct hostler_host_t hostler_host_t;

typedef struct hostler_slice_t {
  int64_t struct_size;        /* sizeof(hostler_slice_t) as the host knows it */
  int64_t index;              /* place in the original plan, from 0; a service: which instance */
  int64_t count;              /* slices in the original plan; a service: instances at the start, see host->count */
  int32_t attempt;            /* 1 the first time; a crash counts */
  int32_t kind;               /* HOSTLER_NONE ... HOSTLER_ITEMS */
  int64_t input;              /* ordinal of the input (file) in the job; (input, begin) is the order of slices */
  const char *path;           /* the file, for LINES, RECORDS and FILE; else NULL */
  int64_t begin;              /* first position, >= 0 */
  int64_t end;                /* one past the last, as it was at the start: claim says where the slice really ends */
  int64_t unit;               /* record size for RECORDS, else 1; positions are begin plus multiples of it */
  const char *const *items;   /* for ITEMS, end - begin strings; else NULL */
  int64_t resume;             /* first position not yet done: begin, or where the last checkpoint stood. Start here */
  const void *checkpoint;     /* what the last durable checkpoint saved, or NULL */
  int64_t checkpoint_size;    /* in bytes */
  const char *worker;         /* never NULL. The name of the entry */
  const char *job_id;         /* never NULL, empty for a service. The same for every attempt, new for a job begun anew:
                                 (job_id, input, position) names a piece of work for good */
  const hostler_host_t *host; /* never NULL. The calls below */
} hostler_slice_t;

/* ---- hostler_host_t: what a plugin may ask of the host -------------------------------------------------------- */

struct hostler_host_t {
  int64_t struct_size; /* sizeof(hostler_host_t) as the host knows it */

  /* R. "I start on [from, to)": heartbeat, progress, stop and split in one step without a system call. What was claimed
   * before is done. Returns the end that is granted: `to`, or less; `from` means that nothing is granted: return from
   * run. The first claim starts at `resume`, each further one where the last grant ended; `to` > `from`, and both are
   * `begin` plus multiples of `unit`, else -EINVAL. `to` beyond the slice's end is cut there. A slice without positions
   * grants nothing. Of LINES, you are granted the lines that start in [from, granted). What you are granted is yours: a
   * SPLITTABLE slice is only ever cut behind it, when the host asks for a share or the worker is to stop, and then it is
   * whole without the rest; the claim that answers writes a message, no other makes a system call. */
  int64_t (*claim)(const hostler_slice_t *slice, int64_t from, int64_t to);

  /* R. The record I am on: for the report of a crash, and so that of a SPLITTABLE slice just the record is put aside that has
   * crashed twice. One plain store, so call it for each, within what was claimed last. Returns 0. */
  int (*at)(const hostler_slice_t *slice, int64_t position);

  /* A. I am alive, for work that does not claim: a worker with a watchdog that does neither is ended. Returns 0. */
  int (*heartbeat)(const hostler_slice_t *slice);

  /* A. `done` of `total` (0: unknown) in units of your own, for work without positions. Is a heartbeat. Returns 0. */
  int (*progress)(const hostler_slice_t *slice, int64_t done, int64_t total);

  /* A. HOSTLER_GO_ON ... HOSTLER_DEADLINE. It never goes back to a lower word during a slice. */
  int (*should_stop)(const hostler_slice_t *slice);

  /* A. A descriptor that becomes readable when should_stop says CANCEL or DEADLINE, for code that sits in poll; DRAIN does
   * not wake it, as the slice may go on to its end. Made on first use, the same one each time. It belongs to the host: poll it, neither read nor close it. */
  int (*stop_fd)(const hostler_slice_t *slice);

  /* R. Ends a segment: 0 only after all before `position` is durable: counters, skips, what was written to outputs, and
   * `size` bytes of `data` for the next attempt. `position` lies behind resume and the last checkpoint, up to the end of
   * the last grant (without any claim: of the slice), and is begin plus a multiple of unit, or the end. Of LINES it is
   * where a line begins that is not done, or the end: the next attempt takes `resume` for the begin of a line. An error
   * changes nothing: -EPERM in a service and in merge, -EOVERFLOW when the job cannot take the counters, -ESTALE when the
   * input has changed, -ENOENT when an output is not the file that output() made, or what a sync of the outputs met, as
   * -ENOSPC; then every further one fails likewise. A full disk of the host's own is waited for.
   * It costs about one fsync: call it once a second, not once a record. Flush your own buffers before.
   * May be NULL on a host that does not offer it: then every attempt starts at `begin`. */
  int (*checkpoint)(const hostler_slice_t *slice, int64_t position, const void *data, int64_t size);

  /* R. A descriptor of an append-only file in a folder of this attempt's own (it holds what is before a checkpoint); the file becomes visible when the host
   * commits the slice, and never if it does not. `name` is one path component of plain text (UTF-8 without control
   * characters), in merge none of parts, .attempts, manifest.json and _SUCCESS. The same name gives the same descriptor.
   * It belongs to the host, which syncs and closes it after run: do not close it (fdopen a dup), and flush your own
   * buffers before you return. */
  int (*output)(const hostler_slice_t *slice, const char *name);

  /* R. The slice's result: any bytes, stored together with its verdict. The last call counts. Returns 0. */
  int (*result)(const hostler_slice_t *slice, const void *data, int64_t size);

  /* A. Adds `delta` to a counter of the job; only what commits is summed. `name` is plain text. A slice that would
   * bring the job beyond HOSTLER_MAX_COUNTERS names, or a total out of int64_t, fails. Returns 0. */
  int (*counter)(const hostler_slice_t *slice, const char *name, int64_t delta);

  /* R. A bad record at [begin, end): its bytes, 64 KiB of them at most, are put aside with the reason once the segment or
   * slice commits, and count against the entry's max_skipped; the run goes on. It begins within what is granted, behind
   * the last checkpoint; a line or record of a file may end behind it. One that overlaps another is -EINVAL, the same
   * again is 0, and -EMSGSIZE means that it is time for a checkpoint: a segment holds 8 MiB of them. Returns 0.
   * May be NULL on a host that does not offer it: then return HOSTLER_BAD_DATA instead. */
  int (*skip)(const hostler_slice_t *slice, int64_t begin, int64_t end, const char *reason);

  /* R. The words that stand beside the verdict. The last call counts. Returns 0. */
  int (*fail)(const hostler_slice_t *slice, const char *reason);

  /* A. A line for the entry's log; a level of HOSTLER_LOG_... and `size` bytes of text. stdout and stderr are captured
   * too. Returns 0. */
  int (*log)(const hostler_slice_t *slice, int level, const char *text, int64_t size);

  /* A. A parameter from the entry's `params:`, or NULL when it is not there. Scalars come as written, lists and maps as
   * JSON. */
  const char *(*param)(const hostler_slice_t *slice, const char *key);

  /* A. A service says that it is up. More than once is no error. Returns 0. */
  int (*ready)(const hostler_slice_t *slice);

  /* A. The number of instances of a service as it is now; `count` of the slice for a job. */
  int64_t (*count)(const hostler_slice_t *slice);

  /* A. Growth: a table of further calls by an id like "hostler.sockets/1", or NULL when the host does not know it.
   * May be NULL on a host that does not offer any. */
  const void *(*extension)(const hostler_slice_t *slice, const char *id);
};

/* ---- hostler_results_t: what merge reads ---------------------------------------------------------------------- */

/* A piece of the input and what became of it. Yours: set struct_size before each call; the host fills in as much as
 * fits there, and zero for what it does not know. What it points at lives until the next call with the same cursor function. */
typedef struct hostler_range_t {
  int64_t struct_size;      /* in: sizeof(hostler_range_t) */
  int64_t input;            /* as in the slice */
  int64_t begin;            /* first position */
  int64_t end;              /* one past the last */
  const void *result;       /* what result() left, or NULL */
  int64_t result_size;      /* in bytes */
  const char *const *files; /* paths of the committed files, each ending in /NAME as output() was asked for */
  int64_t file_count;       /* strings in `files` */
  const char *reason;       /* why it was quarantined; NULL for a committed range */
} hostler_range_t;

/* Belongs to the host; lives until merge returns. */
typedef struct hostler_results_t hostler_results_t;
struct hostler_results_t {
  int64_t struct_size; /* sizeof(hostler_results_t) as the host knows it */

  /* R. The next committed range, in order of (input, begin). 1: *out is filled in; 0: that was the last. Neighbours may
   * have become one range when they left nothing. */
  int (*next)(hostler_results_t *results, hostler_range_t *out);

  /* R. The total of a counter over all that is committed; 0 when nothing was counted under that name. Never fails, and
   * may be below 0. */
  int64_t (*counter)(hostler_results_t *results, const char *name);

  /* R. The next range that was given up, or record that was skipped, in order; as next. A job for which this yields
   * anything ends partial. */
  int (*quarantined)(hostler_results_t *results, hostler_range_t *out);
};

/* ---- what the plugin exports ---------------------------------------------------------------------------------- */

/* For a language that declares them itself, and cannot say const (cgo): with HOSTLER_NO_PROTOTYPES defined, this header
 * leaves that to it. */
#ifndef HOSTLER_NO_PROTOTYPES

/* Required. In a worker, on its main thread, once for each slice; the next call may come in the same process. Returns a
 * verdict. DONE after a refused claim means that the rest goes elsewhere; DONE with all claimed, or without any claim,
 * that the whole slice is done; DONE short of the end with no claim refused is a failure. */
HOSTLER_EXPORT int run(const hostler_slice_t *slice);

/* Optional. Once per entry, before workers are forked from the process that ran it: load what all of them share. The
 * slice has kind NONE; param, log and fail work, all other calls return -EPERM. Must leave no thread behind. Returns
 * DONE, or what stops the entry. */
HOSTLER_EXPORT int prepare(const hostler_slice_t *slice);

/* Optional. In a worker of its own, when every slice has ended: make the job's final output with output, result and
 * counter. An attempt like any other: retried, committed once. The slice has kind NONE and no positions. */
HOSTLER_EXPORT int merge(const hostler_slice_t *slice, hostler_results_t *results);

#endif

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-*) */
