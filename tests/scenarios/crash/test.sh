# A plugin that crashes is told by function, file and line: in the log, in status, and in a file that is kept.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'a sanitizer tells of crashes in its own way'
drop crashes.so exec.so tick.so
line() { grep -n "// $1\$" "$SOURCE_DIR/tests/plugins/crashes.cc" | cut -d: -f1; }

workers <<'YAML'
workers:
  - {name: null, plugin: crashes.so, params: {do: 'null'}, restart: {limit: 0}}
  - {name: throws, plugin: crashes.so, params: {do: throw, thread: 'yes'}, restart: {limit: 0}}
  - {name: deep, plugin: crashes.so, params: {do: overflow, thread: 'yes'}, restart: {limit: 0}}
  - {name: loads, plugin: crashes.so, env: {CRASHES_WHILE_LOADING: '1'}, restart: {limit: 0}}
  - {name: loops, plugin: crashes.so, params: {do: abort}, restart: {delay: 0s, limit: 30, within: 1h}}
  - {name: many, plugin: crashes.so, count: 12, params: {do: abort}, restart: {delay: 10ms, limit: 3, within: 1h}}
  - tick.so
YAML
sed -i 's/name: null/name: "null"/; s/- tick.so/- plugin: tick.so/' workers.yaml
exits 0 hostler up

last_exit() { entry "$1" '.workers[0].last_exit.text'; }
# told ENTRY PART COMMENT: the words of status have this part, and end in the line with this comment.
told() {
  wait_until "[[ \$(last_exit $1) == *'(crashes.cc:$(line "$3"))' ]]" 60
  assert_in "$2" "$(last_exit "$1")"
  local report
  report=$(entry "$1" .workers[0].crash_report)
  [ -f "$report" ] || die "$1: no report at '$report'"
  assert_in "tests/plugins/crashes.cc:$(line "$3"))" "$(<"$report")"
  assert_in "tests/plugins/crashes.cc:$(line "$3"))" "$(grep "$1/0" state/host.log)"
}
told null 'killed by SIGSEGV (address 0x8' null
assert_in 'at position 3' "$(last_exit null)"
assert_in 'read_nowhere' "$(last_exit null)"
told throws 'killed by SIGABRT (uncaught std::runtime_error: nobody catches this' throw
wait_until "[[ \$(last_exit deep) == *'overflow(int) (crashes.cc:'* ]]" 60
assert_in 'killed by SIGSEGV (stack overflow at 0x' "$(last_exit deep)"
told loads 'while its plugin was being loaded' null

# Of one that loops few reports are made, and its last crash is told with function and line as well.
wait_until '[ "$(entry loops .state)" = failed ]' 60
wait_until "[[ \$(entry loops .workers[0].note) == *'; last: killed by SIGABRT'*'(crashes.cc:$(line abort))' ]]" 60
told loops give_up abort
[ "$(find state/crashes/loops -type f | wc -l)" -le 10 ] || die "too many: $(ls state/crashes/loops)"
# So are those of many workers that crash at once.
unexplained() {
  entry many '[.workers[] | select(.state != "failed" or .crash_report == "" or (.last_exit.text | contains("give_up") | not))] | length'
}
wait_until '[ "$(unexplained)" = 0 ]' 60
assert_eq "$(running tick)" 1 'neighbours'
exits 0 hostler down
assert_nobody_left

# The host that ends with its last job waits for the words.
rm -rf state
cat >workers.yaml <<'YAML'
workers:
  - {name: job, plugin: crashes.so, params: {do: heap}, input: {range: {begin: 40, end: 50}, slice: 10}, attempts: 1}
YAML
exits 1 hostler run
assert_in "crashes.cc:$(line heap))" "$(grep job/0 state/host.log)"
assert_in 'in slice 0-40 at position 43' "$(grep job/0 state/host.log)"
assert_nobody_left

# Without the symboliser the words are fewer, and all else is the same.
mkdir alone
cp "$HOSTLER" alone/hostler
HOSTLER=$dir/alone/hostler
rm -rf state
exits 1 hostler run
assert_in 'hostler-symbolise is not installed' "$(<state/host.log)"
assert_in 'killed by SIGABRT in slice 0-40 at position 43, libc.so.6+0x' "$(<state/host.log)"
