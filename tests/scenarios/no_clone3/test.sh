# Under the seccomp profile of a container, which knows no clone3.
source "$(dirname "$0")/../lib.sh"

no_clone3=$BUILD_DIR/tests/scenarios/no_clone3
enosys=38 eperm=1
status=0
"$no_clone3" $enosys true || status=$?
[ $status -ne 77 ] || skip 'no seccomp filter can be installed here'
confined() { timeout --foreground -k 5 100 "$no_clone3" $enosys "$HOSTLER" "$@"; }

drop tick.so wordcount.so exec.so
printf 'a b\nb\n' >data.txt
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 3
    params: {interval: 0.02}
  - plugin: wordcount.so
    input: {lines: data.txt}
  - plugin: exec.so
    count: 1
    input: {items: [a]}
    params: {command: [echo, "{}"], stdout: output}
YAML
exits 0 confined check
exits 0 confined up
wait_until '[ "$(running tick)" = 3 ]'
kill -KILL "$(pids tick | cut -d' ' -f1)" # and back again
wait_until '[ "$(entry tick "[.workers[].restarts] | add")" = 1 ] && [ "$(running tick)" = 3 ]'
wait_until '[ -e state/output/wordcount/_SUCCESS ] && [ -e state/output/exec/_SUCCESS ]'
exits 0 confined down
assert_nobody_left

# Where it is forbidden instead of unknown, the C library cannot start threads. That is said, and nothing is left.
exits 1 timeout --foreground -k 5 100 "$no_clone3" $eperm "$HOSTLER" up
assert_in 'thread' "$said"
assert_nobody_left
