# `hostler run` and signals: each is seen at once and counted, also while the host is still starting. Exit code 6.
source "$(dirname "$0")/../lib.sh"

drop exec.so hang_in_constructor.so
workers <<'YAML'
workers:
  - name: slow
    plugin: exec.so
    count: 1
    input: {items: [a, b, c]}
    params: {command: [sh, -c, 'trap "" TERM; echo began >&2; while :; do sleep 0.1; done']}
    stop: {drain: 10m, grace: 10m}
YAML

# Runs in the background: `begin`, then signals to $run, then `ended` with its exit code.
begin() {
  rm -f run.log
  "$HOSTLER" run >run.log 2>&1 &
  run=$!
}
ended() {
  local status=0
  wait "$run" || status=$?
  assert_eq "$status" 6 "exit code, having said: $(cat run.log)"
  assert_nobody_left
}
working() { wait_until 'grep -qs " began" state/logs/slow.log'; }

# The first asks, the second one insists: with a drain of ten minutes nothing else would end this.
begin
working
kill -TERM $run
wait_until 'grep -q "once more to stop at once" run.log'
kill -INT $run
ended
assert_in 'what is done is kept' "$(cat run.log)"
rm state/logs/slow.log

# Two that come together are two.
begin
working
kill -STOP $run
kill -TERM $run
kill -INT $run
kill -CONT $run
ended
rm state/logs/slow.log

# QUIT needs no second one.
begin
working
kill -QUIT $run
ended
assert_in 'stopping at once' "$(cat run.log)"

# A plugin that hangs while it is looked at: the host is told to stop, and run says so.
sed -i 's/exec.so/hang_in_constructor.so/' workers.yaml
begin
wait_until '[ -n "$(ps -o pid= --ppid $run)" ]'
host=$(ps -o pid= --ppid $run | xargs)
wait_until '[ -n "$(ps -o pid= --ppid $host)" ]'
kill -TERM $run
wait_until 'grep -q "interrupted, stopping" run.log'
ended
assert_in 'no job has been begun' "$(cat run.log)"

# Killed with no chance to say anything: the host below it stops at once, and the next run goes on, however soon it comes.
workers <<'YAML'
workers:
  - name: counted
    plugin: exec.so
    count: 2
    input: {range: {end: 40}, slice: 1}
    params: {command: [sh, -c, 'sleep 0.05; echo {}']}
    stop: {drain: 10m, grace: 10m}
YAML
rm -rf state
begin
wait_until '[ -n "$(ls -A state/output/counted/parts 2>/dev/null)" ]'
kill -KILL $run
exits 0 hostler run
wait "$run" || true
assert_eq "$(cat state/output/counted/parts/*/* | sort -n | tr '\n' ' ')" "$(seq 0 39 | tr '\n' ' ')" 'what is left behind'
assert_nobody_left

# Streams that take nothing are no reason to stop, or to fall over.
rm -rf state
status=0
"$HOSTLER" run 2>/dev/full >/dev/null || status=$?
assert_eq "$status" 0 'a run whose progress goes nowhere'
status=0
"$HOSTLER" status >&- 2>&- || status=$?
assert_eq "$status" 3 'status without a host and without a stderr'
rm -rf state
"$HOSTLER" run 2> >(exec true) >/dev/null
assert_nobody_left
