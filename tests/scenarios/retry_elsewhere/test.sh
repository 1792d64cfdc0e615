# Records that crash a plugin which has done all else are the data's, also when another host tries them again, and with a new
# build that crashes just so: the job ends as it did. A build that mends some of them does those.
source "$(dirname "$0")/../lib.sh"

cat >poisoned.c <<'END'
#include <hostler/plugin.h>
HOSTLER_PLUGIN("poisoned", VERSION, HOSTLER_SPLITTABLE);
int run(const hostler_slice_t *slice) {
  long long sum = 0;
  for (int64_t n = slice->resume; slice->host->claim(slice, n, n + 1) > n; n++) {
    if (n % 200 == 77 && n >= MENDED) *(volatile int *)8 = 1;
    sum += n;
  }
  slice->host->counter(slice, "sum", sum);
  return HOSTLER_DONE;
}
END
build() { # VERSION MENDED
  cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -DVERSION="\"$1\"" -DMENDED="$2" -o new.so poisoned.c
  mv new.so plugins/poisoned.so
}
ends_as() { # EXIT ISOLATED SUM COMMAND...
  local code=$1 isolated=$2 sum=$3
  shift 3
  exits "$code" "$@"
  assert_in "counters: sum $sum" "$said"
  assert_eq "$(hostler failed poisoned --json 2>/dev/null | grep -c SIGSEGV || true)" "$isolated" 'records that are isolated'
}
build 1 0
workers <<'YAML'
workers:
  - plugin: poisoned.so
    count: 2
    restart: {delay: 5ms}
    max_skipped: 10
    input: {range: {begin: 0, end: 1000}, slice: 100}
YAML
ends_as 5 5 497115 hostler run
exits 0 hostler retry poisoned
ends_as 5 5 497115 hostler run

# Killed in the middle of it, too.
exits 0 hostler up
exits 0 hostler retry poisoned
kill -KILL "$(host_pid)"
ends_as 5 5 497115 hostler run

build 2 0
exits 0 hostler retry poisoned
ends_as 5 5 497115 hostler run
build 3 400
exits 0 hostler retry poisoned
ends_as 5 3 497469 hostler run
assert_nobody_left
