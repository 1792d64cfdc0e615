# A full disk below the output is waited for, by whoever writes, and is said so; with room again all ends well.
# In a mount namespace of its own, where a folder can be a small disk.
if [ -z "${APART-}" ]; then
  unshare --mount true 2>/dev/null || { echo 'skipped: no mount namespace can be made here' >&2 && exit 77; }
  exec env APART=1 unshare --mount bash "$0"
fi
source "$(dirname "$0")/../lib.sh"

drop exec.so
mkdir out state
mount -t tmpfs -o size=1m tmpfs out
mount -t tmpfs -o size=64m tmpfs state
leave() {
  local code=$? pid
  set +e
  trap - ERR
  [ $code = 0 ] || tail -n 40 state/host.log >&2
  for pid in $(survivors); do kill -KILL "$pid"; done
  umount -l out state
  (exit $code)
  finish
}
trap leave EXIT

# The program's own writes: its failure costs no attempt.
workers <<'YAML'
workers:
  - name: copy
    plugin: exec.so
    count: 1
    attempts: 1
    input: {items: [a, b]}
    output: out
    params: {command: [sh, -c, 'echo try >&2; head -c 300000 /dev/zero']}
    restart: {delay: 50ms, max_delay: 200ms}
YAML
exec 9>out/filler # on the disk, and not in the folder
rm out/filler
head -c 2m /dev/zero >&9 2>/dev/null || true
exits 0 hostler up
wait_until 'grep -q "copy: no room in .*, and the disk of its output is full" state/host.log'
exec 9>&-
wait_until '[ "$(entry copy .state)" = succeeded ]'
exits 0 hostler down
assert_eq "$(find out/parts -name stdout -size 300000c | wc -l)" 2 'whole outputs'

# The ledger's: nothing can become durable, so nothing is told as if it went on.
workers <<'YAML'
workers:
  - name: slow
    plugin: exec.so
    count: 1
    input: {range: {begin: 0, end: 200}, slice: 1}
    output: elsewhere # where there is room
    params: {command: [sh, -c, 'sleep 0.05; echo x']}
YAML
exits 0 hostler up
wait_until '[ "$(entry slow .progress.done)" -gt 3 ]'
# Again and again: what the ledger gives back when there is no room is taken too.
wait_until 'head -c 100m /dev/zero >>state/filler 2>/dev/null; [ -n "$(status .waits_for)" ]'
assert_in 'the disk is full' "$(status .waits_for)"
assert_in 'jobs wait: ' "$(hostler status)"
assert_eq "$(entry slow '.rate == 0 and .eta_seconds == -1')" true 'no rate and no time to go'

# Whoever asks for something meanwhile is told what stands in the way, and the file is not called wrong.
drop tick.so
head -c 5m /dev/zero >>plugins/tick.so
cp workers.yaml before.yaml
cat >>workers.yaml <<'YAML'
  - {name: more, plugin: tick.so, count: 1}
YAML
exits 1 hostler reload
assert_in 'nothing was changed' "$said"
assert_in 'No space left on device' "$said"
exits 1 hostler check
assert_in 'No space left on device' "$said"
cp before.yaml workers.yaml
hostler stop slow >stop.log 2>&1 &
stop=$!
wait_until 'grep -q "^hostler: waits: .*the disk is full" stop.log'
rm state/filler
wait "$stop"
assert_in 'slow: stopped' "$(cat stop.log)"
wait_until '[ -z "$(status .waits_for)" ]'
exits 0 hostler start slow
wait_until '[ "$(entry slow .state)" = succeeded ]' 60
exits 0 hostler down
assert_nobody_left
