# What hangs is ended: in run(), after it, before it, and when it will not even be aborted; what beats is left alone. A
# slice over its time limit is asked first.
source "$(dirname "$0")/../lib.sh"

drop tick.so misbehave.so
workers <<'YAML'
workers:
  - plugin: tick.so
    params: {interval: 0.05}
    watchdog: 5s
  - name: silent
    plugin: misbehave.so
    params: {do: ignore_stop}
    watchdog: 200ms
    restart: {delay: 20ms, limit: 2}
  - name: deaf
    plugin: misbehave.so
    params: {do: hang_deaf}
    watchdog: 200ms
    restart: {delay: 20ms, limit: 0}
  - {name: blocked, plugin: misbehave.so, params: {do: hang_blocked}, watchdog: 200ms, restart: {limit: 0}}
  - {name: brave, plugin: misbehave.so, params: {do: hang_brave}, watchdog: 200ms, restart: {limit: 0}}
  - name: flush
    plugin: misbehave.so
    params: {do: hang_in_flush}
    watchdog: 200ms
  - name: prepare
    plugin: misbehave.so
    params: {prepare: hang}
    watchdog: 200ms
    restart: {delay: 20ms, limit: 1}
YAML
exits 0 hostler up
for name in silent deaf blocked brave prepare; do wait_until '[ "$(entry '$name' .state)" = failed ]'; done
wait_until '[ "$(entry flush .state)" = finished ]' # run() had returned DONE, and that stands
assert_eq "$(entry silent '.workers[0].last_exit | [.verdict, .signal] | @csv')" '"timeout",6' 'a hung service'
# Where it hangs is told as soon as the frames have been given names.
wait_until '[[ "$(entry silent .workers[0].last_exit.text)" == *"in wait_for_ever ("* ]]'
assert_in 'hung: no sign of life for 200ms, misbehave.so+0x' "$(entry silent '.workers[0].last_exit.text')"
# So it is of one that blocks all signals, and of one that minds no abort.
for name in blocked brave; do
  wait_until '[[ "$(entry '$name' .workers[0].last_exit.text)" == *"in wait_for_ever ("* ]]'
  assert_in 'wait_for_ever' "$(grep "$name/0.*#" state/host.log)"
done
assert_eq "$(entry silent '.workers[0].restarts')" 2 'restarts of the silent one'
assert_eq "$(entry deaf '.workers[0].last_exit | [.verdict, .signal] | @csv')" '"timeout",9' 'one that ignores an abort'
assert_in 'hung: not ready to run after 200ms' "$(entry prepare '.workers[0].last_exit.text')"
assert_in 'hung: no sign of life for 200ms' "$(entry flush '.workers[0].last_exit.text')"
assert_eq "$(entry tick '[.state, .workers[0].restarts] | @csv')" '"running",0' 'the one that beats'
exits 0 hostler down
assert_nobody_left

# hang DO EXTRA-YAML...: a job of three slices whose second hangs; one may be lost.
job() {
  rm -rf state
  {
    printf 'workers:\n  - name: job\n    plugin: misbehave.so\n    count: 2\n    input: {range: {end: 300}, slice: 100}\n'
    printf '    params: {do: %s, at_index: 1}\n    max_failed: 1\n    attempts: 2\n    restart: {delay: 10ms}\n' "$1"
    printf '%s\n' "${@:2}"
  } >workers.yaml
  exits 5 hostler run
  assert_nobody_left
}
job ignore_stop '    watchdog: 200ms'
assert_in 'slice 0-100: hung: no sign of life for 200ms' "$said"
assert_eq "$(grep -c 'hung: no sign of life for 200ms: aborted' state/host.log)" 2 'attempts of a slice that hangs'
job hang_in_flush '    watchdog: 200ms'
assert_in 'slice 0-100: hung: no sign of life for 200ms' "$said"
job ignore_stop '    time_limit: 200ms' '    stop: {grace: 200ms}'
assert_in 'slice 0-100: out of time: over its time limit of 200ms, and did not stop when asked to' "$said"
# One that claims is stopped at its next claim, long before it would be aborted, and its worker leaves in peace.
job claim_slowly '    time_limit: 30ms' '    stop: {grace: 60s}'
assert_in 'slice 0-100: out of time: over its time limit of 30ms' "$said"
if grep aborted state/host.log; then die 'a slice that obeys was aborted'; fi
