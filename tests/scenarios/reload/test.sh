# A reload is a transaction over the difference: what did not change is not touched, and nothing is applied by halves.
source "$(dirname "$0")/../lib.sh"

drop tick.so
cp plugins/tick.so plugins/tock.so
configure() { # COUNT OF tick, INTERVAL OF tock, more lines on stdin
  {
    printf 'workers:\n  - plugin: tick.so\n    count: %s\n  - plugin: tock.so\n    params: {interval: %s}\n' "$1" "$2"
    cat
  } >workers.yaml
}

configure 3 1 </dev/null
exits 0 hostler up
wait_until '[ "$(running tick)/$(running tock)" = 3/1 ]'
tick=$(pids tick) tock=$(pids tock)

# Nothing changed.
exits 0 hostler reload
assert_eq "$(pids tick)/$(pids tock)" "$tick/$tock" pids

# refused WORDS: a reload that must fail, and leave everybody alone; log and status say why.
refused() {
  exits "${2:-4}" hostler reload
  assert_in "$1" "$said"
  assert_eq "$(status .last_reload_ok)" false
  assert_in "$1" "$(status .last_reload)"
  assert_in "$1" "$(cat state/host.log)"
  assert_eq "$(pids tick)/$(pids tock)" "$tick/$tock" 'pids after a refused reload'
}

printf 'workers:\n  - plugin: tick.so\n    cuont: 3\n' >workers.yaml
refused 'workers.yaml:3:5'
assert_in 'count' "$said"
printf 'workers:\n  - plugin: tick.so\n    preload: true\n' >workers.yaml
refused 'not supported yet'
printf 'workers:\n  - plugin: gone.so\n' >workers.yaml
refused gone.so
configure 4 1 <<<'  - plugin: broken.so'
head -c 5000 plugins/tick.so >plugins/broken.so
refused broken.so
drop hang_in_constructor.so crash_in_constructor.so wrong_abi.so
configure 4 1 <<<'  - plugin: hang_in_constructor.so'
refused hang_in_constructor.so
configure 4 1 <<<'  - plugin: crash_in_constructor.so'
refused crash_in_constructor.so
assert_in SIGSEGV "$said"
configure 4 1 <<<'  - plugin: wrong_abi.so'
refused wrong_abi.so
assert_in 'ABI' "$said"

# By signal as well as by command.
echo 'workers: [' >workers.yaml
mark=$(wc -l <state/host.log)
kill -HUP "$(host_pid)"
wait_until '[ "$(wc -l <state/host.log)" -gt '"$mark"' ]'
assert_eq "$(pids tick)/$(pids tock)" "$tick/$tock" pids

# What changes of the host itself is named by check, reload and log, and is no entry to be waited for.
configure 3 1 <<<'host: {umask: "022", logs: {size: 1MiB, keep: 2}}'
changes='host:    umask 027 → 022 (workers that run keep theirs), logs.size 16MiB → 1MiB, logs.keep 4 → 2'
exits 0 hostler check
assert_in "a reload would do this:
  $changes" "$said"
exits 0 hostler reload
assert_eq "$said" "$changes"
assert_in 'applied: host: umask 027 → 022' "$(status .last_reload)"
assert_eq "$(sed -n 's/^Umask:[[:space:]]*//p' "/proc/$(host_pid)/status")" 0022 'umask of the host'
assert_eq "$(pids tick)/$(pids tock)" "$tick/$tock" 'pids after a change of the host'
exits 0 hostler reload
assert_eq "$said" 'nothing to change'
configure 3 1 <<<'host: {state: elsewhere}'
exits 4 hostler reload --state state
assert_in 'the state folder cannot change while the host runs: stop it first' "$said"

# More, then fewer: those who stay keep their pids.
configure 5 1 </dev/null
kill -HUP "$(host_pid)"
wait_until '[ "$(running tick)" = 5 ]'
assert_eq "$(pids tick | cut -d' ' -f1-3)/$(pids tock)" "$tick/$tock" 'pids after a raised count'
assert_eq "$(status .last_reload_ok)" true
five=$(pids tick)
configure 2 1 </dev/null
exits 0 hostler reload # whose answer comes when all is through
assert_eq "$(running tick)" 2 'running after a lowered count'
assert_eq "$(pids tick)" "$(cut -d' ' -f1-2 <<<"$five")" 'pids after a lowered count'
for pid in $(cut -d' ' -f3-5 <<<"$five"); do if alive "$pid"; then die "$pid outlived the reload"; fi; done
tick=$(pids tick)

# A changed parameter replaces that entry's workers and no other.
configure 2 2 </dev/null
exits 0 hostler reload
assert_eq "$(running tock)" 1 'running after a changed parameter'
if [ "$(pids tock)" = "$tock" ]; then die 'a changed parameter replaced nobody'; fi
assert_eq "$(pids tick)" "$tick" 'pids of the neighbour'
tock=$(pids tock)

# So does a changed plugin. An ELF file may carry a tail: another hash, the same code.
printf 'tail' >>plugins/tock.so
exits 0 hostler reload
assert_eq "$(running tock)" 1 'running after a changed parameter'
if [ "$(pids tock)" = "$tock" ]; then die 'a changed parameter replaced nobody'; fi
assert_eq "$(pids tick)" "$tick" 'pids of the neighbour'

# A new entry comes, a removed one goes.
tock=$(pids tock)
printf 'workers:\n  - plugin: tick.so\n    count: 2\n  - {name: third, plugin: tick.so}\n' >workers.yaml
exits 0 hostler reload
wait_until '[ "$(running third)" = 1 ]'
wait_until "! alive $tock"
wait_until '[ "$(status "[.entries[].name] | sort | join(\" \")")" = "third tick" ]'
assert_eq "$(pids tick)" "$tick" 'pids of the neighbour'

exits 0 hostler down
assert_nobody_left
