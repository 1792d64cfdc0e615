/* Built with plugin.h as it was in ABI 1.0, frozen in tests/abi/v1_0: every later host must take it, and every call must
 * mean to it what it meant then. Counts the numbers of a RANGE, puts aside those that end in 7, saves what it has at each
 * one that ends in 00, and leaves a file. merge adds up. */
#include "../abi/v1_0/plugin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

HOSTLER_PLUGIN_WITH_STATE("oldest", "1.0.0", HOSTLER_SPLITTABLE, INT64_C(0x700000003));

static int failed(const hostler_slice_t *slice, const char *call, int64_t answer) {
  char words[100];
  snprintf(words, sizeof words, "%s: %" PRId64, call, answer);
  slice->host->fail(slice, words);
  return HOSTLER_ERROR;
}

static int service(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  if (slice->kind != HOSTLER_NONE || host->claim(slice, 0, 1) != 0) return failed(slice, "claim", slice->kind);
  if (host->counter(slice, "none", 1) >= 0) return failed(slice, "counter", 0);
  if (host->count(slice) != 1 || host->stop_fd(slice) < 0) return failed(slice, "count", host->count(slice));
  if (host->log(slice, HOSTLER_LOG_WARNING, "old and well", 12) != 0 || host->ready(slice) != 0) return HOSTLER_ERROR;
  while (host->should_stop(slice) < HOSTLER_CANCEL) host->heartbeat(slice), usleep(1000);
  return HOSTLER_DONE;
}

int run(const hostler_slice_t *slice) {
  const hostler_host_t *host = slice->host;
  if (slice->struct_size < (int64_t)sizeof *slice || host->struct_size < (int64_t)sizeof *host)
    return failed(slice, "struct_size", slice->struct_size);
  if (slice->kind == HOSTLER_NONE) return service(slice);
  if (slice->kind != HOSTLER_RANGE || slice->unit != 1 || slice->begin >= slice->end || *slice->job_id == 0 ||
      strcmp(slice->worker, "old") != 0 || slice->attempt < 1 || slice->index >= slice->count)
    return failed(slice, "slice", slice->kind);
  const char *word = host->param(slice, "word");
  if (word == NULL || host->param(slice, "no such") != NULL) return HOSTLER_BAD_CONFIG;
  if (host->extension != NULL && host->extension(slice, "no such") != NULL) return failed(slice, "extension", 1);

  int64_t numbers = 0;
  if (slice->checkpoint_size == sizeof numbers) memcpy(&numbers, slice->checkpoint, sizeof numbers);
  int64_t position = slice->resume;
  for (; host->claim(slice, position, position + 1) > position; position++) {
    host->at(slice, position);
    if (position % 100 == 0 && position > slice->resume) {
      const int saved = host->checkpoint(slice, position, &numbers, sizeof numbers);
      if (saved < 0) return failed(slice, "checkpoint", saved);
    }
    if (position % 10 == 7) {
      const int skipped = host->skip(slice, position, position + 1, "ends in seven");
      if (skipped < 0) return failed(slice, "skip", skipped);
      continue;
    }
    numbers++;
    const int counted = host->counter(slice, "numbers", 1);
    if (counted < 0) return failed(slice, "counter", counted);
  }
  host->progress(slice, position - slice->begin, 0);
  const int file = host->output(slice, "word.txt");
  if (file < 0 || write(file, word, strlen(word)) < 0) return failed(slice, "output", file);
  const int left = host->result(slice, &numbers, sizeof numbers);
  return left < 0 ? failed(slice, "result", left) : HOSTLER_DONE;
}

int merge(const hostler_slice_t *slice, hostler_results_t *results) {
  int64_t numbers = 0;
  struct {
    hostler_range_t range;
    int64_t unknown; /* to the host: it reads as 0 */
  } larger = {{sizeof larger, 0, 0, 0, NULL, 0, NULL, 0, NULL}, 7};
  if (results->next(results, &larger.range) != 1 || larger.unknown != 0) return failed(slice, "next", larger.unknown);
  hostler_range_t range = larger.range;
  range.struct_size = sizeof range;
  do {
    int64_t of_range = 0;
    if (range.result_size != sizeof of_range || range.file_count != 1 || range.reason != NULL)
      return failed(slice, "range", range.result_size);
    memcpy(&of_range, range.result, sizeof of_range);
    numbers += of_range;
  } while (results->next(results, &range) == 1);
  int64_t aside = 0;
  for (; results->quarantined(results, &range) == 1; aside++)
    if (range.begin % 10 != 7 || range.end != range.begin + 1 || strcmp(range.reason, "ends in seven") != 0)
      return failed(slice, "quarantined", range.begin);
  char words[100];
  const int size = snprintf(words, sizeof words, "%" PRId64 " numbers, %" PRId64 " counted, %" PRId64 " put aside\n",
                            numbers, results->counter(results, "numbers"), aside);
  return slice->host->result(slice, words, size) < 0 ? HOSTLER_ERROR : HOSTLER_DONE;
}
