# The disk of the outputs alone is full: whoever writes there waits for room at nobody's expense, which is said, and goes on
# by itself. What comes of it is what an undisturbed run leaves, byte for byte.
# In a mount namespace of its own, where a folder can be a small disk.
if [ -z "${APART-}" ]; then
  unshare --mount true 2>/dev/null || { echo 'skipped: no mount namespace can be made here' >&2 && exit 77; }
  exec env APART=1 unshare --mount bash "$0"
fi
source "$(dirname "$0")/../lib.sh"

drop segments.so exec.so
mkdir small big
mount -t tmpfs -o size=3m tmpfs small
cleanup() { umount -l small; }

awk 'BEGIN {for (n = 0; n < 6000; n++) printf "%d%s %0*d\n", n, n % 97 == 0 ? "!" : "", 20 + n % 90, n}' >lines
# The same two jobs in a folder; neither may be tried again at its own expense.
jobs() {
  workers <<YAML
workers:
  - name: words
    plugin: segments.so
    count: 3
    attempts: 1
    max_temporary: 0
    max_skipped: 100%
    input: {lines: lines, slice: 16KiB}
    output: $1/words
    params: {every: 40, wait_at: $2}
  - name: copies
    plugin: exec.so
    count: 2
    attempts: 1
    max_temporary: 0
    input: {lines: lines, slice: 16KiB}
    output: $1/copies
    params: {command: [cat]}
YAML
}
# What a job has left, in the order of its parts.
left() {
  find "$1/parts" -type f | sort | xargs cat | sha256sum
  [ ! -e "$1/total" ] || cat "$1/total"
}
fill() {
  exec 9>small/filler # on the disk, and not in the folder
  rm small/filler
  head -c 4m /dev/zero >&9 2>/dev/null || true
}

jobs big -1
exits 5 hostler run
mv big undisturbed
mv state state.undisturbed

# Full before it begins, and again in the middle of it: a slice waits, and what the others then write finds no room.
fill
at=$(head -n 3000 lines | wc -c)
jobs small "$at"
exits 0 hostler up
wait_until '[ "$(entry words .state)" = waiting ]'
assert_eq "$(entry words .reason)" "no room in $dir/small/words, so one slice a second is tried"
assert_eq "$(entry words '.rate == 0 and .eta_seconds == -1')" true 'no rate and no time to go'
assert_in "no room in $dir/small/words" "$(hostler status)"
wait_until '[ "$(entry copies .state)" = waiting ]' # its program writes by itself
wait_until '[ "$(grep -cs "begins at 0 " state/logs/words.log)" -ge 3 ]' # tries
exec 9>&-
wait_until 'grep -q "waits at $at" state/logs/words.log'
assert_in "words: there is room in $dir/small/words again" "$(cat state/host.log)"
fill
touch gate
wait_until '[ "$(grep -c "words: no room in" state/host.log)" -ge 2 ]'
# A host that is stopped meanwhile, and another: nothing is lost.
exits 0 hostler down
exits 0 hostler up
wait_until '[ "$(entry words .state)" = waiting ]'
assert_eq "$(entry words .progress.quarantined)" 0 quarantined
exec 9>&-
wait_until '[ "$(entry words .state)" = partial ]' # for its skipped records
wait_until '[ "$(entry copies .state)" = succeeded ]' 60
exits 0 hostler down

for job in words copies; do
  assert_eq "$(left small/$job)" "$(left undisturbed/$job)" "what $job leaves"
  assert_eq "$(find "small/$job" -path '*.attempts/*')" '' "what $job leaves of attempts"
done
assert_eq "$(cat small/copies/parts/*/stdout | cmp - lines && echo same)" same copies
assert_in 'no room' "$(hostler joblog words)"

# A slice is committed and its files have no place, as the disk takes no more of them; the host is killed, and the next one
# finds the disk as it was.
rm -rf state gate
mkdir few
mount -t tmpfs -o nr_inodes=20 tmpfs few
cleanup() { umount -l small few; }
workers <<YAML
workers:
  - name: copies
    plugin: exec.so
    count: 1
    attempts: 1
    input: {lines: lines, slice: 1GiB}
    output: few/copies
    params: {command: [sh, -c, 'cat; touch $dir/read; until [ -e $dir/gate ]; do sleep 0.02; done']}
YAML
exits 0 hostler up
wait_until '[ -e read ]'
for i in $(seq 20); do touch few/$i 2>/dev/null || break; done
touch gate
wait_until 'grep -q "parts.*No space left on device" <<<"$(hostler status)"'
kill -KILL "$(host_pid)"
exits 0 hostler up
wait_until 'grep -q "parts.*No space left on device" <<<"$(hostler status)"'
assert_eq "$(entry copies .state)" waiting copies
find few -maxdepth 1 -type f -delete
wait_until '[ "$(entry copies .state)" = succeeded ]'
exits 0 hostler down
cmp few/copies/parts/*/stdout lines
assert_eq "$(hostler joblog copies | wc -l)" 2 'a line for the columns, and one attempt'
assert_nobody_left
