# start, stop, restart and scale: they act, wait and report; and what an operator stopped stays stopped.
source "$(dirname "$0")/../lib.sh"

drop tick.so misbehave.so exec.so
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 2
  - name: other
    plugin: tick.so
  - name: looping
    plugin: misbehave.so
    params: {do: return, code: 3}
    restart: {delay: 0s, max_delay: 0s}
  - name: job
    plugin: exec.so
    count: 1
    input: {items: [a, b, c]}
    params: {command: [sh, -c, 'echo "$HOSTLER_ITEM" >>ran; [ "$HOSTLER_ITEM" != b ] || [ -e mended ]']}
    restart: {delay: 10ms}
YAML
exits 0 hostler up
wait_until '[ "$(running tick)" = 2 ] && [ "$(entry looping .state)" = failed ] && [ "$(entry job .state)" = failed ]'
other=$(pids other)

exits 0 hostler stop tick
assert_eq "$said" 'tick: stopped; stopped by operator'
assert_eq "$(entry tick '[.state, .reason, .stopped] | @csv')" '"stopped","stopped by operator",true' 'a stopped entry'
echo '# changed' >>workers.yaml
sed -i 's/count: 2/count: 3/' workers.yaml
exits 0 hostler reload
assert_eq "$(entry tick .state)" stopped 'after a reload'
assert_eq "$(pids other)" "$other" 'the pid of the neighbour'
assert_in 'stopped by operator' "$(hostler status)"
exits 0 hostler down
exits 0 hostler up
wait_until '[ "$(running other)" = 1 ]'
assert_eq "$(entry tick .state)" stopped 'after another host'
kill -KILL "$(host_pid)"
assert_nobody_left
exits 0 hostler up
wait_until '[ "$(running other)" = 1 ]'
assert_eq "$(entry tick .state)" stopped 'after a host that died'
exits 1 hostler restart tick
assert_in 'hostler start tick' "$said"
exits 0 hostler start tick
assert_eq "$said" 'tick: running, 3 workers'
kill -KILL "$(host_pid)"
assert_nobody_left
exits 0 hostler up
wait_until '[ "$(running tick)" = 3 ] && [ "$(entry looping .state)" = failed ]'

three=$(pids tick)
other=$(pids other)
exits 0 hostler restart tick
[ "$(pids tick)" != "$three" ] || die 'restart left the workers'
exits 0 hostler scale tick 5
assert_in 'tick: running, 5 workers' "$said"
exits 0 hostler reload
assert_eq "$(running tick)" 5 'workers after a reload that changes nothing'
sed -i 's/count: 3/count: 1/' workers.yaml
exits 0 hostler reload
wait_until '[ "$(running tick)" = 1 ]'
assert_eq "$(pids other)" "$other" 'the pid of the neighbour'

# A person may always try, and is told how it went.
exits 1 hostler start looping
assert_in 'returned 3' "$said"
sed -i 's/do: return, code: 3/do: wait/' workers.yaml
exits 0 hostler reload
exits 0 hostler start looping
assert_eq "$said" 'looping: running, 1 worker'

# A job that has ended is started by --fresh or --resume only, and they concern no other entry.
exits 1 hostler start job
assert_in '--resume job' "$said"
touch mended
sed -i 's/count: 1$/count: 2/' workers.yaml
exits 0 hostler start --resume job
wait_until '[ "$(entry job .state)" = succeeded ]'
assert_eq "$(sort ran | uniq -c | xargs)" '1 a 5 b 1 c' 'times the items ran'
assert_eq "$(running tick)" 1 'workers of tick, whose change waits for a reload'

exits 1 hostler stop tikc
assert_in 'did you mean tick' "$said"
exits 1 hostler stop
exits 2 hostler scale tick
exits 1 hostler scale tick 0
exits 0 hostler stop --all
assert_eq "$(status '[.entries[].workers[] | select(.pid != 0)] | length')" 0 'workers after stop --all'
exits 0 hostler start --all
exits 0 hostler down
assert_nobody_left
exits 3 hostler stop tick

# run does not wait for a job that an operator has stopped; --fresh and --resume, which name it, lift that.
mkfifo fifo
workers <<'YAML'
workers:
  - name: waiting
    plugin: exec.so
    count: 1
    input: {items: [a, b]}
    params: {command: [sh, -c, '[ -e mended2 ] || read -r _ <fifo']}
    stop: {drain: 0s, grace: 100ms}
YAML
"$HOSTLER" run >run.log 2>&1 &
run=$!
wait_until '[ "$(running waiting)" = 1 ]'
exits 0 hostler stop waiting
code=0
wait $run || code=$?
assert_eq "$code" 6 'exit code of a run whose job was stopped'
assert_in 'stopped by operator' "$(cat run.log)"
exits 6 hostler run
touch mended2
exits 0 hostler run --resume waiting
assert_nobody_left

# A job that waits for what an operator has stopped says so, and goes on when that is started.
workers <<'YAML'
workers:
  - {name: feed, plugin: tick.so, count: 1}
  - {name: fed, plugin: exec.so, count: 1, depends_on: [feed], input: {items: [a]}, params: {command: ['true']}}
YAML
exits 0 hostler up
exits 0 hostler stop feed
exits 0 hostler down
hostler run --fresh fed >run.log 2>&1 &
run=$!
wait_until 'grep -q "^fed: 0/1 slice, 0%, waits for feed, which an operator stopped" run.log'
exits 0 hostler start feed
wait $run
assert_nobody_left
