# More workers than there are descriptors for: those that there is room for run, and the host goes on answering.
source "$(dirname "$0")/../lib.sh"

drop tick.so
ulimit -n 96
workers <<'YAML'
workers: [{plugin: tick.so, count: 100}]
YAML
exits 0 hostler up
wait_until '[ "$(entry tick "[.workers[] | select(.state == \"running\")] | length")" -gt 5 ]'
wait_until '[[ "$(entry tick ".workers[99].last_exit.text")" == *"Too many open files (96 are allowed, 32 kept for the host itself)"* ]]'
workers <<'YAML'
workers: [{plugin: tick.so, count: 2}]
YAML
exits 0 hostler reload
wait_until '[ "$(entry tick "[.workers[].state] | join(\" \")")" = "running running" ]'
exits 0 hostler down
assert_nobody_left
