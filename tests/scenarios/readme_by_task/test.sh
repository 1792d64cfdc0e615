# Each command and each setting that README.md names by task, as it is written there; one that is new there is missed here.
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'about a page, not about the code'

awk '/^## By task/ {on = 1; next} /^## / {on = 0} on' "$SOURCE_DIR/README.md" | tr '\n' ' ' >page
spans() { grep -o '`[^`]*`' page | tr -d '`' | grep "$@" | sort -u; }

# shown CODE COMMAND: as the page has it, NAME being $name.
shown() {
  echo "$2" >>ran
  exits "$1" eval "${2//NAME/$name}"
}

drop tick.so template.so segments.so
for i in $(seq 3000); do echo "line $i$([ "$i" != 2500 ] || echo !)"; done >text
touch gate
mapfile -t settings < <(spans -E '^(max_skipped|recycle|on_exit|watchdog|time_limit): ')
assert_eq ${#settings[@]} 5 'settings that a job may have'
workers <<YAML
$(spans '^host: ')
workers:
  - plugin: tick.so
    params: {interval: 0.1}
  - name: sum
    plugin: template.so
    count: 2
    input: {range: {begin: 0, end: 33554432}, slice: 16777216}
  - name: lines
    plugin: segments.so
    count: 2
    input: {lines: text, slice: 10KiB}
    params: {fail_at: 0}
    attempts: 1
    max_failed: 1
$(printf '    %s\n' "${settings[@]}")
  - name: slow
    plugin: segments.so
    input: {range: {begin: 0, end: 10}}
    params: {wait_at: 5}
    count: 1
    stop: {drain: 0s, grace: 100ms}
YAML
name=none
shown 0 'hostler check'
shown 5 'hostler run'

# How it went, and what failed.
name=lines
shown 0 'hostler results NAME --report'
shown 0 'hostler slices NAME'
shown 0 'hostler joblog NAME'
shown 0 'hostler failed NAME'
assert_in 'as told' "$said"
shown 0 'hostler failed NAME --lines'
assert_in 'line 2500!' "$said"
name=sum
shown 0 'hostler replay NAME.0-16777216' # the scenario account does so with --debug
assert_in 'sum.0-16777216: done' "$said"
name=lines
shown 0 'hostler retry NAME'

# What runs.
exits 0 hostler up
exits 0 hostler plugins
for plugin in segments template tick; do assert_in "$plugin.so" "$said"; done
shown 0 'hostler status'
shown 0 'hostler status --json'
echo 'hostler logs NAME -f' >>ran
grep -m 1 -q tick < <("$HOSTLER" logs tick -f)
name=tick
shown 0 'hostler stop NAME'
assert_eq "$(running tick)" 0
shown 0 'hostler start NAME'
shown 0 'hostler restart NAME'
N=3
shown 0 'hostler scale NAME $N'
assert_eq "$(running tick)" 3
wait_until '[ "$(entry lines .state)" = partial ]'
begin_slow() { # waits in its middle
  rm gate
  : >state/logs/slow.log
  exits 0 hostler reload --fresh slow
  wait_until 'grep -q "waits at 5" state/logs/slow.log'
}
name=slow
begin_slow
shown 0 'hostler pause NAME'
touch gate
wait_until '[ "$(entry slow .state)" = paused ] && [ -z "$(pids slow)" ]'
shown 0 'hostler resume NAME'
wait_until '[ "$(entry slow .state)" = succeeded ]'
begin_slow
shown 0 'hostler cancel NAME'
assert_eq "$(entry slow .state)" cancelled
exits 0 hostler down
echo 'hostler up --foreground' >>ran
hostler up --foreground >foreground.log 2>&1 &
wait_until 'hostler status >/dev/null 2>&1'
exits 0 hostler down
wait $!

# A job's parameters, changed while it has something done.
sum() { printf 'workers: [{name: sum, plugin: template.so, input: {range: {begin: 0, end: 1000}}, params: {n: %s}}]\n' "$1" | workers; }
name=sum
for way in --fresh --resume; do
  echo "$way NAME" >>ran
  sum "1$way" && exits 0 hostler run $way sum
  sum "2$way" && exits 0 hostler up $way sum
  sum "3$way" && exits 0 hostler reload $way sum
  assert_eq "$(entry sum .held)" '' "what $way has not taken"
  exits 0 hostler down
done

echo 'hostler COMMAND --help' >>ran
hostler --help | awk '/^Subcommands/ {on = 1; next} on && NF {print $1}' >commands
assert_in replay "$(<commands)"
while read -r command; do exits 0 hostler "$command" --help; done <commands

# Two that not every machine has.
workers <<YAML
workers:
  - plugin: tick.so
    $(spans '^limits: ')
    $([ "$(id -u)" != 0 ] || { chmod 711 . && spans '^user: '; })
YAML
hostler check >said 2>&1 || assert_in 'this machine cannot enforce' "$(<said)"

sed -i 's/\$N$/N/; s/^hostler replay .*/& --debug/' ran
assert_eq "$(spans -E '^(hostler|--fresh|--resume) ' | comm -23 - <(sort -u ran))" '' 'named by the page, and not run here'
assert_nobody_left
