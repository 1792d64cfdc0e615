# The file of the running host is replaced, overwritten or removed: that is the next host's affair. Templates and workers go
# on being of the program that runs.
source "$(dirname "$0")/../lib.sh"

cp "$HOSTLER" mine
drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 3
    restart: {delay: 1ms}
    params: {interval: 0.02}
YAML
exits 0 ./mine up
wait_until '[ "$(running tick)" = 3 ]'
host=$(host_pid)

template() { ps -o pid=,args= --ppid "$host" | sed -n 's/^ *\([0-9]*\) hostler: template *$/\1/p'; }
# A new template from what runs, and workers from that.
all_anew() {
  local before old
  before=$(pids tick) old=$(template)
  [ -z "$old" ] || kill -KILL "$old"
  wait_until '[ -z "'"$old"'" ] || ! alive "'"$old"'"'
  assert_eq "$(pids tick)" "$before" "workers after the template's death, $1"
  kill -KILL $before
  wait_until '[ "$(running tick)" = 3 ] && [ -z "$(comm -12 <(tr " " "\n" <<<"'"$before"'" | sort) <(pids tick | tr " " "\n" | sort))" ]'
  [ -n "$(template)" ] || die "no template, $1"
  assert_eq "$(host_pid)" "$host" "host, $1"
}

all_anew 'undisturbed'
cp "$(type -P true)" other && mv other mine # as a package does it
all_anew 'replaced'
rm mine
all_anew 'removed'
printf '#!/bin/sh\necho wrong >>%s/wrong\n' "$dir" >mine && chmod +x mine
all_anew 'another program in its place'
[ ! -e wrong ] || die 'the wrong program was run'
# A reload inspects plugins with the program that runs, too.
cp "$TEST_PLUGINS/nothing.so" plugins/tick.so
exits 0 hostler reload
exits 0 hostler down
assert_nobody_left
