# What results hands out is whole, or it says that it is not.
source "$(dirname "$0")/../lib.sh"

cat >parts.c <<'END'
#include <hostler/plugin.h>
#include <fcntl.h>
#include <unistd.h>
HOSTLER_PLUGIN("parts", "1.0.0", 0);
int run(const hostler_slice_t *slice) {
  char byte;
  if (slice->begin == 1 && read(open("gate", O_RDONLY), &byte, 1) < 1) return HOSTLER_ERROR;
  slice->host->result(slice, "part", 4);
  return HOSTLER_DONE;
}
int merge(const hostler_slice_t *slice, hostler_results_t *results) {
  (void)results;
  if (access("mergeable", F_OK) != 0) return HOSTLER_ERROR;
  slice->host->result(slice, "whole", 5);
  return HOSTLER_DONE;
}
END
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/parts.so parts.c
mkfifo gate
workers <<'YAML'
workers:
  - {plugin: parts.so, count: 1, attempts: 1, input: {range: {begin: 0, end: 3}, slice: 1}}
YAML

exits 1 hostler results parts
assert_in 'no job has been run' "$said"
exits 0 hostler up
wait_until '[ "$(entry parts .progress.done)" = 1 ]'
exits 1 hostler results parts
assert_in 'parts has not ended: 1 of 3 slices are done; this is not the whole result' "$said"
exits 1 hostler results parts --json
assert_in 'not the whole result' "$said"

# Whoever waits has it as soon as it is there; what merge has not made of it is not called the result.
hostler results parts --wait >waited.log 2>&1 &
waiting=$!
echo go >gate
status=0
wait $waiting || status=$?
assert_eq $status 1 'exit code of a failed job'
assert_in 'parts has failed: merge: returned 70 (HOSTLER_ERROR); this is not the whole result' "$(<waited.log)"
exits 0 hostler down
exits 1 hostler results parts --wait # nobody works on it any more
touch mergeable
exits 0 hostler run --resume parts
exits 0 hostler results parts --wait
assert_eq "$said" whole

# One that may lose slices, and has.
workers <<'YAML'
workers:
  - {plugin: parts.so, count: 1, attempts: 1, max_failed: 1, input: {range: {begin: 0, end: 3}, slice: 1}}
YAML
rm gate
exits 5 hostler run --fresh parts
exits 5 hostler results parts
assert_in whole "$said"
assert_in 'parts is partial: 1 of 3 slices quarantined' "$said"

# One that a rule has stopped: it could go on, and yet it has failed.
workers <<'YAML'
workers:
  - {plugin: parts.so, count: 1, input: {range: {begin: 0, end: 3}, slice: 1}, on_exit: [{codes: [70], do: fail_entry}],
     stop: {drain: 0s, grace: 100ms}}
YAML
exits 1 hostler run --fresh parts
exits 1 hostler results parts
assert_in 'parts has failed: ' "$said"
assert_in 'by on_exit[0]' "$said"
mkfifo gate
exits 0 hostler up
wait_until 'grep -q "parts has not ended: 1 of 3 slices are done" < <(hostler results parts 2>&1)'
exits 0 hostler down
assert_nobody_left
