# pause, resume, cancel and retry: what an operator says to a job holds, across reloads and hosts, until it is taken back.
source "$(dirname "$0")/../lib.sh"

cat >slow.c <<'END'
#include <hostler/plugin.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
HOSTLER_PLUGIN("slow", "1.0.0", 0);
/* Each slice waits for a byte in the pipe "gate"; the second one is bad until there is a file "fixed". */
int run(const hostler_slice_t *slice) {
  char byte;
  const int gate = open("gate", O_RDWR);
  if (gate < 0 || read(gate, &byte, 1) != 1) return HOSTLER_ERROR;
  close(gate);
  if (slice->begin == 1 && access("fixed", F_OK) != 0) return HOSTLER_BAD_DATA;
  slice->host->counter(slice, "slices", 1);
  slice->host->result(slice, "part", 4);
  return HOSTLER_DONE;
}
int merge(const hostler_slice_t *slice, hostler_results_t *results) {
  char text[32];
  const int size = snprintf(text, sizeof text, "%d slices", (int)results->counter(results, "slices"));
  slice->host->result(slice, text, (size_t)size);
  return HOSTLER_DONE;
}
END
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/slow.so slow.c
drop tick.so
mkfifo gate
exec 9<>gate # so that neither side waits for the other
workers <<'YAML'
workers:
  - plugin: tick.so
  - {plugin: slow.so, count: 1, max_failed: 1, input: {range: {end: 4}, slice: 1}, stop: {drain: 100ms, grace: 5s}}
YAML
exits 0 hostler up
exits 1 hostler pause tick
assert_in 'tick: is a service, and only jobs pause' "$said"
exits 1 hostler resume slow
assert_in 'is not paused' "$said"

# What runs has all the time it needs; nothing else is handed out.
wait_until '[ "$(entry slow ".workers[0].slice")" = slow.0-0 ]'
exits 0 hostler pause --all
assert_in 'slow: paused, 1 worker; paused by operator' "$said"
exits 0 hostler reload
assert_eq "$(entry slow .state)" paused
printf 1 >&9
wait_until '[ "$(entry slow .progress.done)" = 1 ]'
wait_until '[ -z "$(pids slow)" ]'
exits 0 hostler down
exits 0 hostler up
assert_eq "$(entry slow .state)" paused 'state after a restart of the host'
assert_eq "$(pids slow)" ''
exits 1 hostler restart slow
assert_in 'hostler resume slow' "$said"
exits 0 hostler resume slow
wait_until '[ "$(entry slow ".workers[0].slice")" = slow.0-1 ]'

# What is given up while it runs is tried again.
printf 1 >&9
wait_until '[ "$(entry slow .progress.quarantined)" = 1 ]'
exits 1 hostler retry slow 0-0
assert_in 'is not quarantined' "$said"
exits 1 hostler retry slow 0-9
assert_in 'is no slice of slow' "$said"
exits 0 hostler retry slow slow.0-1
assert_in '1 slice is tried again' "$said"
printf 111 >&9 # the others, and this one once more
wait_until '[ "$(entry slow .state)" = partial ]'
assert_eq "$(hostler results slow 2>/dev/null || true)" '3 slices' 'the merge of a partial job'

# An ended job runs again, with the plugin as it is now, and its merge is made anew.
touch fixed
sed 's/1\.0\.0/2.0.0/' slow.c >slow2.c
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o slow2.so slow2.c && mv slow2.so plugins/slow.so
exits 0 hostler retry slow
printf 1 >&9
exits 0 hostler results slow --wait
assert_eq "$said" '4 slices' 'the merge after a retry'
assert_eq "$(entry slow .version)" 2.0.0
assert_eq "$(entry slow .counters.slices)" 4
exits 1 hostler retry slow
assert_in 'nothing of it is quarantined' "$said"

# A cancelled job ends with that verdict, keeps what is done, and goes on when told to.
exits 0 hostler start --fresh slow
printf 1 >&9
wait_until '[ "$(entry slow .progress.done)" = 1 ]'
exits 0 hostler cancel slow
assert_in 'slow: cancelled' "$said"
assert_eq "$(pids slow)" ''
exits 1 hostler start slow
assert_in 'has ended: cancelled' "$said"
exits 0 hostler down
exits 1 hostler run
assert_in 'slow: cancelled, 1 of 4 slices done' "$said"
exits 1 hostler results slow
assert_in 'was cancelled' "$said"
printf 111 >&9
exits 0 hostler run --resume slow
assert_in '4 slices' "$said"

# Without a host it is the ledger that is told, and _SUCCESS goes at once.
rm fixed
printf 1111 >&9
exits 5 hostler run --fresh slow
touch fixed
exits 0 hostler retry slow
assert_in '1 slice is tried again with the next' "$said"
exits 1 hostler retry slow
printf 1 >&9
exits 0 hostler run
assert_in '4 slices' "$said"
exits 1 hostler retry other
assert_in 'no job other' "$said"

# A pause that came before the end of a job (one without a merge ends during it) does not outlast it.
sed '/^int merge/,/^}/d; s/"slow"/"plain"/' slow.c >plain.c
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/plain.so plain.c
rm fixed
workers <<'YAML'
workers:
  - {plugin: plain.so, count: 1, max_failed: 1, input: {range: {end: 4}, slice: 1}}
YAML
exits 0 hostler up
printf 111 >&9
wait_until '[ "$(entry plain ".workers[0].slice")" = plain.0-3 ]'
exits 0 hostler pause plain
printf 1 >&9
wait_until '[ "$(entry plain .state)" = partial ]'
exits 0 hostler down
touch fixed
exits 0 hostler retry plain
printf 1 >&9
exits 0 hostler run
assert_in 'plain: succeeded, 4 of 4 slices done' "$said"

# One that ends its last slice after it was called off leaves then, long before its grace is over.
cat >deaf.c <<'END'
#include <hostler/plugin.h>
#include <fcntl.h>
#include <unistd.h>
HOSTLER_PLUGIN("deaf", "1.0.0", 0);
int run(const hostler_slice_t *slice) {
  (void)slice;
  close(open("in", O_WRONLY | O_CREAT, 0600));
  while (access("out", F_OK) != 0) usleep(1000);
  return HOSTLER_DONE;
}
END
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/deaf.so deaf.c
workers <<'YAML'
workers:
  - {plugin: deaf.so, count: 1, input: {range: {end: 1}, slice: 1}, stop: {grace: 10m}}
YAML
exits 0 hostler up
wait_until '[ -e in ]'
timeout 60 "$HOSTLER" cancel deaf &
cancel=$!
wait_until '[ "$(entry deaf .state)" = stopping ]'
touch out
wait "$cancel"
assert_eq "$(entry deaf '.workers[0].last_exit.text')" 'left when asked to'
exits 0 hostler down
assert_nobody_left
