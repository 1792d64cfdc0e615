# The order of an end: drain, then the signal, then KILL to the whole group; and a job loses nothing by it.
source "$(dirname "$0")/../lib.sh"

# A service is told at once, by the stop word and by its own signal.
drop tick.so exec.so misbehave.so
workers <<'YAML'
workers:
  - plugin: tick.so
  - name: polite
    plugin: exec.so
    params: {command: [sh, -c, 'trap "echo got TERM; exit 0" TERM; echo up; while :; do sleep 9 & wait; done']}
  - name: signalled # knows only that a signal interrupts what it sleeps in; any but its own would end it
    plugin: misbehave.so
    params: {do: wait_interrupted}
    stop: {signal: USR1}
  - name: deaf
    plugin: exec.so
    params: {command: [sh, -c, 'trap "" TERM INT HUP; echo up; (trap "" TERM INT HUP; sleep 999) & while :; do sleep 9; done']}
    stop: {grace: 300ms}
YAML
exits 0 hostler up
wait_until '[ "$(grep -hc " up$" state/logs/polite.log state/logs/deaf.log 2>/dev/null | xargs)" = "1 1" ]'
wait_until '[ "$(running signalled)" = 1 ]'
exits 0 hostler down
assert_nobody_left
assert_in 'got TERM' "$(cat state/logs/polite.log)"
grep -q 'signalled/0.* returned 0 (HOSTLER_DONE)' state/host.log || die 'the stop signal ended a worker'
grep -q 'deaf/0.* killed at the end of its grace period' state/host.log || die 'deaf was not killed'
[ "$(grep -c 'killed at the end' state/host.log)" = 1 ] || die 'killed who would have left'

# A slice may end first (drain), and what it did is committed; the next host goes on behind it.
mkfifo fifo
workers <<'YAML'
workers:
  - name: slow
    plugin: exec.so
    count: 1
    input: {items: [a, b, c]}
    params: {command: [sh, -c, 'echo began $HOSTLER_ITEM >&2; read -r _ <fifo; echo done $HOSTLER_ITEM >&2']}
    stop: {drain: 30s}
YAML
exits 0 hostler up
wait_until 'grep -qs "began a" state/logs/slow.log'
"$HOSTLER" down &
down=$!
wait_until 'status .stopping | grep -q true'
echo go >fifo
wait $down
assert_nobody_left
assert_eq "$(grep -c 'began' state/logs/slow.log)" 1 'slices begun'
exits 0 hostler up
wait_until 'grep -qs "began b" state/logs/slow.log'
assert_eq "$(entry slow .progress.done)" 1 'slices done'
# QUIT waits for nobody, and the slice that was running is not charged.
kill -QUIT "$(host_pid)"
assert_nobody_left
# A reader may be gone between the open and the write.
{ trap '' PIPE && while :; do echo go >fifo || true; done; } 2>/dev/null &
feeder=$!
exits 0 hostler run
kill $feeder
wait $feeder 2>/dev/null || true
assert_eq "$(grep -c 'began a' state/logs/slow.log)" 1 'times a was begun'
assert_eq "$(grep -c 'done' state/logs/slow.log)" 3 'slices ended'
assert_nobody_left
