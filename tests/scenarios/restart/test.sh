# What dies is started again, later each time, until it is hopeless; and the words say what it died of.
source "$(dirname "$0")/../lib.sh"

drop tick.so exec.so crash.so
workers <<'YAML'
workers:
  - name: failing
    plugin: exec.so
    params: {command: [sh, -c, 'echo started; exit 3']}
    restart: {delay: 20ms, max_delay: 100ms, limit: 4}
  - name: config
    plugin: exec.so
    params: {command: [sh, -c, 'exit 78'], exit_codes: sysexits}
  - name: finished
    plugin: exec.so
    params: {command: ['true']}
  - name: crashing
    plugin: crash.so
    restart: {delay: 20ms, limit: 2}
  - plugin: tick.so
    restart: {delay: 20ms}
YAML
exits 0 hostler up
wait_until '[ "$(entry failing .state)" = failed ]'
assert_eq "$(grep -c started state/logs/failing.log)" 5 'starts: the first and four more'
assert_in 'exited with code 3' "$(entry failing '.workers[0].last_exit.text')"
assert_in 'gave up' "$(entry failing '.reason + .workers[0].note')"

wait_until '[ "$(entry crashing .state)" = failed ]'
assert_in SIGSEGV "$(entry crashing '.workers[0].last_exit.text')"
wait_until '[ "$(entry config .state)" = failed ]'
assert_in HOSTLER_BAD_CONFIG "$(entry config '.reason + .workers[0].last_exit.text')"
wait_until '[ "$(entry finished .state)" = finished ]'

# The neighbour has seen nothing of it. Killed, it comes back.
wait_until '[ "$(running tick)" = 1 ]'
first=$(pids tick)
assert_eq "$(entry tick '.workers[0].restarts')" 0 restarts
kill -KILL "$first"
wait_until '[ "$(running tick)" = 1 ] && [ "$(pids tick)" != '"$first"' ]'
assert_eq "$(entry tick '.workers[0].restarts')" 1 restarts
assert_in SIGKILL "$(entry tick '.workers[0].last_exit.text')"
assert_in 'out of memory' "$(entry tick '.workers[0].last_exit.text')"

exits 0 hostler down
assert_nobody_left
