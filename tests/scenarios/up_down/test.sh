# The daemon's life: what it is to the system, who may not start beside it, and what each exit code says.
source "$(dirname "$0")/../lib.sh"

exits 4 hostler check # no workers.yaml
exits 2 hostler no-such-command
exits 2 hostler up --no-such-option

drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 2
YAML
exits 3 hostler status
exits 3 hostler down
exits 3 hostler reload
exits 0 hostler check
exits 1 hostler run # a service alone never ends
assert_nobody_left

exits 0 hostler up
host=$(host_pid)
assert_eq "$said" "hostler is up (pid $host): 2 workers of 1 entry"
wait_until '[ "$(running tick)" = 2 ]'

# The classic daemon: nobody's child here, in a session that it does not lead, with no terminal and a tidy umask.
read -r parent session < <(ps -o ppid=,sid= -p "$host")
[ "$parent" != $$ ] || die 'the daemon is still the child of the shell'
[ "$session" != "$host" ] || die 'the daemon leads its session and could get a terminal'
[ "$session" != "$(ps -o sid= -p $$ | xargs)" ] || die 'the daemon is in the session of the shell'
for fd in 0 1 2; do assert_eq "$(readlink "/proc/$host/fd/$fd")" /dev/null "descriptor $fd"; done
assert_eq "$(readlink "/proc/$host/cwd")" / 'working folder'
assert_eq "$(sed -n 's/^Umask:[[:space:]]*//p' "/proc/$host/status")" 0027 umask
assert_eq "$(head -n 1 state/hostler.pid)" "$host" pidfile

# Workers are the host's own children, each in a group of its own, and ps can tell them apart.
for pid in $(pids tick); do assert_eq "$(ps -o ppid=,pgid= -p "$pid" | xargs)" "$host $pid" 'parent and group'; done
assert_eq "$(ps -o args= -p "$host")" "hostler: host $dir/workers.yaml" 'title of the host'
tree=$(ps -o args= --ppid "$host")
assert_in 'hostler: template' "$tree"
assert_in 'hostler: tick 0/2' "$tree"
assert_in 'hostler: tick 1/2' "$tree"

# No second host.
exits 1 hostler up
assert_in "$host" "$said"
exits 1 hostler run
assert_eq "$(host_pid)" "$host" 'the host that runs'

# A broken file does not stop anybody from asking or ending.
cp workers.yaml good.yaml
echo 'workers: [' >workers.yaml
exits 4 hostler check
exits 0 hostler status --state state
exits 0 hostler down --state state
exits 3 hostler status --state state
assert_nobody_left
cp good.yaml workers.yaml

# Twice, and by every signal that ends it.
for signal in TERM INT QUIT; do
  exits 0 hostler up
  kill -$signal "$(host_pid)"
  assert_nobody_left
done

# In the foreground: the shell's own child, over when told.
"$HOSTLER" up --foreground >foreground.log 2>&1 &
foreground=$!
wait_until '[ "$(running tick 2>/dev/null)" = 2 ]'
kill -TERM $foreground
wait $foreground || die "the host in the foreground ended with $?"
assert_nobody_left

# The log file may be renamed away.
exits 0 hostler up
mv state/host.log state/host.log.1
kill -USR1 "$(host_pid)"
wait_until '[ -f state/host.log ]'
exits 0 hostler down

# A host that cannot be started says why, and the exit code says which kind of why.
printf 'workers:\n  - plugin: missing.so\n' >workers.yaml
exits 4 hostler up
assert_in 'workers.yaml:2:' "$said"
assert_in missing.so "$said"
assert_nobody_left
