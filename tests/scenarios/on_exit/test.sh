# Rules say what an exit status means, first match first, for services and for slices; and the words name the rule.
source "$(dirname "$0")/../lib.sh"

drop misbehave.so tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
  - name: reaped
    plugin: misbehave.so
    params: {do: exit, code: 3}
    on_exit: [{codes: [3], do: reap}, {codes: [3], do: fail_entry}]
  - name: failed
    plugin: misbehave.so
    params: {do: abort}
    on_exit: [{codes: [6], do: reap}, {signals: [SEGV, ABRT], do: fail_entry}]
  - name: again
    plugin: misbehave.so
    params: {do: return, code: 0}
    on_exit: [{codes: 0, do: restart}]
    restart: {delay: 10ms, limit: 2}
YAML
exits 0 hostler up
wait_until '[ "$(entry reaped .state)" = finished ]'
assert_eq "$(entry reaped '.workers[0].last_exit | [.text, .verdict, .code] | @csv')" \
  '"exited with 3 without returning from run() (by on_exit[0]: as HOSTLER_DONE)","done",3' 'a reaped service'
wait_until '[ "$(entry failed .state)" = failed ]'
assert_in 'killed by SIGABRT' "$(entry failed .reason)"
assert_in 'by on_exit[1]' "$(entry failed .reason)"
wait_until '[ "$(entry again .state)" = failed ]'
assert_eq "$(entry again '.workers[0].restarts')" 2 'restarts of what would be done'
assert_eq "$(entry tick .state)" running 'the neighbour'
exits 0 hostler down
assert_nobody_left

# job EXIT-CODE DO CODE RULE: a job of three slices whose second does so.
job() {
  rm -rf state
  workers <<YAML
workers:
  - name: job
    plugin: misbehave.so
    count: 1
    input: {range: {end: 3}, slice: 1}
    params: {do: "$2", code: $3, at_index: 1}
    attempts: 2
    max_temporary: 2
    max_failed: 1
    restart: {delay: 10ms}
    on_exit: [$4]
YAML
  exits "$1" hostler run
  assert_nobody_left
}
job 0 return 3 '{codes: 3, do: done}'
job 0 exit 3 '{codes: 3, do: done}'
job 0 null 0 '{signals: SEGV, do: done}'
assert_in 'killed by SIGSEGV in slice 0-1 (by on_exit[0]: as HOSTLER_DONE)' "$(cat state/host.log)"
job 5 return 3 '{codes: 3, do: quarantine}'
assert_in 'slice 0-1: returned 3 (by on_exit[0]: as HOSTLER_BAD_DATA)' "$said"
job 5 null 0 '{signals: SEGV, do: quarantine}'
job 1 return 0 '{codes: 0, do: retry}'
assert_eq "$(grep -c 'returned 0 (HOSTLER_DONE) (by on_exit\[0\]: as HOSTLER_ERROR); attempt' state/host.log)" 6 attempts
job 5 exit 3 '{codes: 3, do: retry_later}'
assert_in 'no more than max_temporary' "$said"
job 1 return 3 '{codes: 3, do: fail_entry}'
job 1 null 0 '{signals: SEGV, do: fail_entry}'
assert_in 'by on_exit[0]: as HOSTLER_BAD_CONFIG' "$said"

# What done by a rule left is committed like what DONE leaves.
rm -rf state
drop exec.so
workers <<'YAML'
workers:
  - name: grep
    plugin: exec.so
    input: {items: [one, two, three]}
    params: {command: [sh, -c, 'echo "$HOSTLER_ITEM"; [ $HOSTLER_ITEM != two ] || exit 65'], exit_codes: sysexits}
    on_exit: [{codes: 65, do: done}]
YAML
exits 0 hostler run
assert_eq "$(cat $(find state/output/grep/parts -type f | sort) | xargs)" 'one two three' output
