# How jobs end, and with which exit code.
source "$(dirname "$0")/../lib.sh"

drop exec.so
# job EXTRA-YAML <<< SCRIPT: one job of six items; the script sees the item and the attempt in its environment.
job() {
  local script
  script=$(cat)
  rm -rf state
  {
    printf 'workers:\n  - name: job\n    plugin: exec.so\n    count: 2\n    input: {items: [a, b, c, d, e, f], slice: 1}\n'
    printf '    restart: {delay: 10ms, max_delay: 20ms}\n'
    printf '    params:\n      exit_codes: sysexits\n      command:\n      - sh\n      - -c\n      - |\n'
    sed 's/^/        /' <<<"$script"
    printf '%s\n' "$@"
  } >workers.yaml
}

job <<<'echo "$HOSTLER_ITEM"'
exits 0 hostler run
assert_in succeeded "$said"
exits 0 hostler run # finished, not run again
assert_in succeeded "$said"

# A failure is tried again, and the attempt is counted.
job <<<'[ "$HOSTLER_ITEM" != c ] || [ "$HOSTLER_ATTEMPT" -ge 3 ] || { echo "try $HOSTLER_ATTEMPT" >>tries; exit 1; }'
exits 0 hostler run
assert_eq "$(xargs <tries)" 'try 1 try 2' 'failed attempts'

# Four attempts, then quarantine; none may be lost by default, so the job fails.
rm -f tries
job <<<'[ "$HOSTLER_ITEM" != c ] || { echo "$HOSTLER_ATTEMPT" >>tries; exit 1; }'
exits 1 hostler run
assert_in failed "$said"
assert_eq "$(xargs <tries)" '1 2 3 4' attempts
exits 1 hostler run # still so, and not tried again
assert_eq "$(xargs <tries)" '1 2 3 4' attempts

# ... or ends partial, when that many may.
job '    max_failed: 1' '    attempts: 2' <<<'[ "$HOSTLER_ITEM" != c ]'
exits 5 hostler run
assert_in partial "$said"
job '    max_failed: 20%' '    attempts: 1' <<<'[ "$HOSTLER_ITEM" != c ]'
exits 5 hostler run
job '    max_failed: 16%' '    attempts: 1' <<<'[ "$HOSTLER_ITEM" != c ]'
exits 1 hostler run

# Bad data is final at once.
rm -f tries
job '    max_failed: 1' <<<'[ "$HOSTLER_ITEM" != c ] || { echo once >>tries; exit 65; }'
exits 5 hostler run
assert_eq "$(wc -l <tries)" 1 'attempts at bad data'

# Not now: again and again, but not for ever, and not counted as attempts.
rm -f tries
job '    attempts: 1' '    max_temporary: 3' <<<'[ "$HOSTLER_ITEM" != c ] || { echo "$HOSTLER_ATTEMPT" >>tries; exit 75; }'
exits 1 hostler run
assert_eq "$(sort -u tries)" 1 'the attempt that never counted'
[ "$(wc -l <tries)" -ge 4 ] || die 'was not tried again'

# A bad setting stops the entry.
job <<<'exit 78'
exits 1 hostler run
assert_in HOSTLER_BAD_CONFIG "$said"

# Interrupted is neither.
mkfifo fifo
job <<<'echo began >>tries; read -r _ <fifo'
rm -f tries
"$HOSTLER" run >run.log 2>&1 &
run=$!
wait_until '[ -s tries ]'
kill -INT $run
status=0
wait $run || status=$?
assert_eq $status 6 'exit code of an interrupted run'
assert_nobody_left
