# The order of an end: drain, then the signal, then KILL to the whole group; and a job loses nothing by it.
source "$(dirname "$0")/../lib.sh"

# A service is told at once, by the stop word and by its own signal.
drop tick.so exec.so
workers <<'YAML'
workers:
  - plugin: tick.so
  - name: polite
    plugin: exec.so
    params: {command: [sh, -c, 'trap "echo got INT; exit 0" INT; echo up; while :; do sleep 9 & wait; done']}
    stop: {signal: INT}
  - name: deaf
    plugin: exec.so
    params: {command: [sh, -c, 'trap "" TERM INT HUP; echo up; (trap "" TERM INT HUP; sleep 999) & while :; do sleep 9; done']}
    stop: {grace: 300ms}
YAML
exits 0 hostler up
wait_until '[ "$(grep -hc " up$" state/logs/polite.log state/logs/deaf.log 2>/dev/null | xargs)" = "1 1" ]'
exits 0 hostler down
assert_nobody_left
assert_in 'got INT' "$(cat state/logs/polite.log)"
assert_in SIGKILL "$(cat state/host.log)"

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
{ while :; do echo go >fifo; done; } &
feeder=$!
exits 0 hostler run
kill $feeder
wait $feeder 2>/dev/null || true
assert_eq "$(grep -c 'began a' state/logs/slow.log)" 1 'times a was begun'
assert_eq "$(grep -c 'done' state/logs/slow.log)" 3 'slices ended'
assert_nobody_left
