# What a wave of starts needs is given back when it is over: the program's text is not all in memory any more.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'the memory of a sanitizer is another'
drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
YAML
exits 0 hostler up
wait_until '[ "$(running tick)" = 1 ]'
host=$(host_pid)
# KiB of the program's text in the host's memory.
text() { awk '/^[0-9a-f]+-/ {text = $2 == "r-xp" && $NF ~ /hostler$/} text && $1 == "Rss:" {sum += $2} END {print sum + 0}' "/proc/$host/smaps"; }
# Much of it is in memory once the host has done all kinds of things.
exits 0 hostler restart tick
exits 0 hostler stop tick
exits 0 hostler start tick
exits 1 hostler pause tick
echo '  - {plugin: "none.so"}' >>workers.yaml
exits 4 hostler reload
before=$(text)
exits 0 hostler scale tick 300
wait_until '[ "$(text)" -lt $((before / 2)) ]'

# And what it still needs of it comes back.
assert_eq "$(running tick)" 300
exits 0 hostler down
assert_nobody_left
