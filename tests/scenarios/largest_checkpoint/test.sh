# A checkpoint as large as one may be, 16 MiB, comes back byte by byte after a kill -9; one more byte is refused.
source "$(dirname "$0")/../lib.sh"

largest=$((16 * 1024 * 1024))
drop segments.so
configure() { # SAVED MORE...
  cat >workers.yaml <<YAML
workers:
  - name: job
    plugin: segments.so
    count: 1
    attempts: 2
    input: {range: {begin: 0, end: 100}, slice: 100}
    params: {every: 60, wait_at: 75, saved: $1$(printf ', %s' "${@:2}")}
    restart: {delay: 1ms}
YAML
}
total="records 100 sum 4950 counted 100 4950"

# The plugin compares each byte with what it would save there.
configure $largest 'careless: no'
exits 0 hostler up
wait_until 'grep -qs "waits at 75" state/logs/job.log' 60
assert_eq "$(python3 -c 'import sqlite3; print(*sqlite3.connect("state/ledger.sqlite").execute(
  "SELECT position, length(data) FROM checkpoint").fetchall())')" "(60, $largest)" 'what the ledger has'
kill -KILL "$(pids job)"
wait_until '[ "$(grep -c "waits at 75" state/logs/job.log)" = 2 ]' 60
assert_eq "$(grep -c "begins at 60 with $largest bytes" state/logs/job.log)" 1 'attempts that went on'
# The same after a kill of the host.
kill -KILL "$(host_pid)"
assert_nobody_left
touch gate
exits 0 hostler replay job.0-0
assert_in "begins at 60 with $largest bytes" "$said"
exits 0 hostler run
assert_eq "$(grep -c "begins at 60 with $largest bytes" state/logs/job.log)" 2 'attempts that went on'
assert_eq "$(hostler results job)" "$total"
cmp state/output/job/parts/*/copy <(seq 0 99) || die 'the file of the slice'

# One byte more: the call says so, and changes nothing.
configure $((largest + 1)) 'careless: no'
exits 1 hostler run --fresh job
assert_in 'returned 70 (HOSTLER_ERROR): checkpoint: Message too long' "$said"
configure $((largest + 1)) 'careless: yes'
exits 0 hostler run --fresh job
assert_eq "$(hostler results job)" "$total"
cmp state/output/job/parts/*/copy <(seq 0 99) || die 'the file of the slice without checkpoints'
assert_nobody_left
