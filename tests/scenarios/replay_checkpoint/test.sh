# replay of a slice that has made a checkpoint: it goes on there, with what was saved, and ledger and output stay as they
# are to the byte.
source "$(dirname "$0")/../lib.sh"

drop segments.so
workers <<'YAML'
workers:
  - name: job
    plugin: segments.so
    count: 1
    input: {range: {begin: 0, end: 100}, slice: 50}
    attempts: 1
    params: {every: 10, bad: 7, saved: 1000, fail_at: 25, wait_at: 75}
    max_skipped: 20
    max_failed: 1
YAML
good() { seq "$1" "$2" | awk '$1 % 7 != 0'; }
added_up() { good "$1" "$2" | awk '{sum += $1} END {print NR, sum}'; }

# All that the ledger says, and each file and folder of the output.
ledger() {
  rm -rf copied && mkdir copied && cp state/ledger.sqlite* copied/
  python3 -c 'import sqlite3; print(*sqlite3.connect("copied/ledger.sqlite").iterdump(), sep="\n")'
}
output() { find state/output -printf '%p %y %m %U %s %T@\n' -type f -exec sha256sum {} + | sort; }

# One slice has been given up behind its checkpoint, and the host is killed while its worker waits in the middle of a segment
# of the other.
exits 0 hostler up
wait_until 'grep -qs "waits at 75" state/logs/job.log'
kill -KILL "$(host_pid)"
assert_nobody_left
assert_eq "$(hostler slices job --json | jq -r .state | xargs)" 'quarantined running'
ledger >ledger.before
output >output.before
assert_eq "$(grep -c 'INSERT INTO "checkpoint" ' ledger.before)" 2 'checkpoints'

# What failed fails again, and does not begin where the slice does.
hostler replay job.0-0 >out 2>err && die 'the replay was done'
assert_in 'begins at 20 with 1000 bytes' "$(<err)"
assert_in 'job.0-0: failure: returned 70 (HOSTLER_ERROR): as told' "$(<err)"
rm -r "$(sed -n 's|^what it wrote is in ||p; s|^file \(.*\)/files/.*|\1|p' err)"

# The other comes to its end: what is before the checkpoint is in a copy of its file.
touch gate
hostler replay job.0-50 >out 2>err
assert_in 'begins at 70 with 1000 bytes' "$(<err)"
assert_in "counter records $(good 70 99 | wc -l)" "$(<err)"
assert_eq "$(sed -n 's/^skipped //p' err)" "$(printf '%s: bad record\n' 70-71 77-78 84-85 91-92 98-99)" 'what was skipped'
assert_eq "$(<out)" "$(added_up 50 99)" 'the result of the replay'
file=$(sed -n 's/^file //p' err)
cmp "$file" <(good 50 99) || die 'the file of the replay'
rm -r "${file%/files/*}"
assert_eq "$(hostler slices job --json | jq -r .state | xargs)" 'quarantined running'

# By a build of another state, of which it knows nothing, it is begun anew.
sed 's/SPLITTABLE, 3/SPLITTABLE, 4/' "$SOURCE_DIR/tests/plugins/segments.cc" >other.cc
c++ -std=c++20 -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/segments.so other.cc
hostler replay job.0-50 >out 2>err
assert_in 'begins anew: its checkpoint is of state version 3, the plugin of 4' "$(<err)"
assert_in 'begins at 50 with 0 bytes' "$(<err)"
assert_eq "$(<out)" "$(added_up 50 99)" 'the result of the other build'
rm -r "$(sed -n 's|^file \(.*\)/files/.*|\1|p' err)"
drop segments.so

ledger | cmp - ledger.before || die 'the ledger has changed'
output | cmp - output.before || die 'the output has changed'

# The job goes on as if there had been no replay.
exits 5 hostler run
assert_in 'begins at 70 with 1000 bytes' "$(<state/logs/job.log)"
exits 5 hostler results job
assert_in "records $(added_up 50 99 | sed 's/ / sum /') counted" "$said"
cmp state/output/job/parts/*50/copy <(good 50 99) || die 'the file of the slice'
assert_nobody_left
