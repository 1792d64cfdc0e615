# The host as the first process of a container: signals reach it, who comes to it is reaped and not killed, its own strays
# die, and with it all ends.
source "$(dirname "$0")/../lib.sh"

unshare --pid --fork --mount-proc true 2>/dev/null || skip 'no PID namespace can be made here'
drop tick.so strays.so
workers <<YAML
workers:
  - plugin: tick.so
    count: 2
    params: {interval: 0.02}
  - plugin: strays.so
    params: {leave: daemon, file: $dir/daemon}
    on_exit: [{signals: [ABRT], do: reap}]
YAML

# begin COMMAND...: hostler as PID 1; leaves the pid of unshare in $outer, and that of PID 1, as it is here, in $init.
begin() {
  rm -rf state daemon
  unshare --pid --fork --mount-proc "$HOSTLER" "$@" >"$dir/log" 2>&1 &
  outer=$!
  wait_until 'init=$(ps -o pid= --ppid '$outer' | xargs) && [ -n "$init" ]'
}
ended() { # EXPECTED WHAT
  local status=0
  wait "$outer" || status=$?
  assert_eq "$status" "$1" "exit status after $2"
  assert_nobody_left
}
inside() { nsenter --target "$init" --pid --mount -- "$@"; }
parent_inside() { inside ps -o ppid= "$1" | xargs; }

begin up --foreground
wait_until '[ "$(running tick 2>/dev/null)" = 2 ]'
assert_eq "$(host_pid)" 2 'pid of the host in there'
# What a worker has left comes to the host, not to the init, and is ended.
wait_until '[ "$(entry strays ".workers[0].state")" = finished ]'
assert_eq "$(inside ps -eo args= | grep -c 'hostler: strays' || true)" 0 'strays'
# Somebody else's orphan comes to the init: it lives on, also past the host's looks for strays, and is reaped when it ends.
stranger=$(inside sh -c 'sleep 1000 >/dev/null 2>&1 & echo $!')
wait_until '[ "$(parent_inside '"$stranger"')" = 1 ]'
for _ in 1 2; do
  rm -f daemon
  hostler start strays >/dev/null || true
  wait_until '[ -s daemon ] && [ "$(entry strays ".workers[0].state")" = finished ]'
done
inside kill -0 "$stranger" || die 'a stranger was killed'
inside kill -KILL "$stranger"
wait_until '! inside ps -o stat= '"$stranger"' | grep -q .'
kill -TERM "$init"
ended 0 TERM

# Its number out here is somebody else's.
begin up --foreground
wait_until '[ "$(running tick 2>/dev/null)" = 2 ]'
exits 0 hostler down
ended 0 'down from outside'

begin up --foreground
wait_until '[ "$(running tick 2>/dev/null)" = 2 ]'
inside kill -HUP 1 # from in there, too
wait_until 'grep -q "nothing to change" state/host.log'
inside kill -KILL 2 || true # it may not live to say so
ended 137 'kill -9 of the host'

# Into the background: it would end before it has begun.
exits 2 unshare --pid --fork --mount-proc "$HOSTLER" up
assert_in 'up --foreground' "$said"

drop wordcount.so
printf 'a b\nb\n' >data.txt
workers <<'YAML'
workers:
  - plugin: wordcount.so
    input: {lines: data.txt}
YAML
rm -rf state
exits 0 unshare --pid --fork --mount-proc "$HOSTLER" run
assert_in succeeded "$said"
assert_nobody_left
