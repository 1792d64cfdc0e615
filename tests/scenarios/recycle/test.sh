# recycle: workers make place for new processes between slices, uncharged; a service that has grown too large is started again.
source "$(dirname "$0")/../lib.sh"

drop poison.so
seq -f 'line %.0f' 1 20000 >text
workers <<'YAML'
workers:
  - plugin: poison.so
    count: 2
    input: {lines: text, slice: 4KiB}
    recycle: {slices: 10}
YAML
exits 0 hostler run
hostler results poison --report --json >report
slices=$(jq .progress.slices report)
processes=$(jq .processes report)
[ "$processes" -ge $((slices / 10)) ] || die "$processes processes for $slices slices"
assert_eq "$(jq -c '[.state, .failures, .counters.lines]' report)" '["succeeded",0,20000]'
assert_in 'makes place for a new process after' "$(<state/host.log)"
assert_nobody_left

# A service that leaks.
cat >leaks.c <<'END2'
#include <hostler/plugin.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
HOSTLER_PLUGIN("leaks", "1.0.0", 0);
int run(const hostler_slice_t *slice) {
  memset(malloc(64 << 20), 1, 64 << 20);
  struct pollfd stop = {slice->host->stop_fd(slice), POLLIN, 0};
  slice->host->ready(slice);
  poll(&stop, 1, -1);
  return HOSTLER_DONE;
}
END2
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o new.so leaks.c
mv new.so plugins/leaks.so
workers <<'YAML'
workers:
  - plugin: leaks.so
    recycle: {memory: 32MiB}
    restart: {limit: 0}
YAML
exits 0 hostler up
wait_until '[ -n "$(pids leaks)" ]'
before=$(pids leaks)
wait_until '[ -n "$(pids leaks)" ] && [ "$(pids leaks)" != "$before" ]'
assert_in 'of memory' "$(<state/host.log)"
wait_until '[ "$(entry leaks .state)" = running ]'
exits 0 hostler down
assert_nobody_left

workers <<'YAML'
workers:
  - plugin: leaks.so
    recycle: {slices: 3}
YAML
exits 4 hostler check
assert_in 'recycle.slices' "$said"
