# Whatever happens to the .so in the plugins folder, the workers that run it do not notice.
source "$(dirname "$0")/../lib.sh"

drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 3
    params: {interval: 0.02}
YAML
exits 0 hostler up
wait_until '[ "$(running tick)" = 3 ]'
before=$(pids tick)

# unharmed: every worker goes on beating, as the same process.
unharmed() {
  local beats
  beats=$(entry tick '[.workers[].beats] | min')
  wait_until '[ "$(entry tick "[.workers[].beats] | min")" -gt '"$((beats + 3))"' ]'
  assert_eq "$(pids tick)" "$before" "pids after $1"
  assert_eq "$(entry tick '[.workers[].restarts] | add')" 0 restarts
}

unharmed 'the start'
cp "$PLUGINS/wordcount.so" plugins/tick.so # into the same inode
unharmed 'cp over it'
truncate -s 0 plugins/tick.so
unharmed truncation
exits 4 hostler reload # and a reload refuses what is left
unharmed 'a refused reload'
rm plugins/tick.so
unharmed removal

# A worker that dies now comes back, from the copy that the host keeps.
first=${before%% *}
kill -KILL "$first"
wait_until '[ "$(running tick)" = 3 ] && [ "$(pids tick)" != "'"$before"'" ]'

exits 0 hostler down
assert_nobody_left
