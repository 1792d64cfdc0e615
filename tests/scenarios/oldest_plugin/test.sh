# A plugin built with the header of ABI 1.0 gets on with this host in every call: as a job that checkpoints, skips, counts and
# leaves files and results, cut and killed on the way, and as a service.
source "$(dirname "$0")/../lib.sh"

drop oldest.so
job() {
  workers <<'YAML'
workers:
  - name: old
    plugin: oldest.so
    count: 2
    input: {range: {begin: 0, end: 20000}, slice: 2500}
    params: {word: hello}
    max_skipped: 10%
YAML
}
job
exits 5 hostler run # partial: the numbers that end in 7 were put aside
assert_in '18000 numbers, 18000 counted, 2000 put aside' "$said"
assert_eq "$(hostler failed old --json | grep -c '"ends in seven"')" 2000 'numbers put aside'
assert_eq "$(find state/output/old/parts -name word.txt -exec cat {} + | sed 's/hello//g')" ''
assert_nobody_left

rm -rf state
job
exits 0 hostler up
for _ in 1 2 3; do
  wait_until '[ -n "$(pids old)" ] || [ "$(entry old .state)" = partial ]'
  for pid in $(pids old); do kill -KILL "$pid" 2>/dev/null || true; done
done
exits 5 hostler results old --wait
assert_in '18000 numbers, 18000 counted, 2000 put aside' "$said"
exits 0 hostler down
assert_nobody_left

rm -rf state
workers <<'YAML'
workers:
  - {name: old, plugin: oldest.so}
YAML
exits 0 hostler up
wait_until '[ "$(entry old ".workers[0].ready")" = true ]'
wait_until 'hostler logs old | grep -q "old and well"'
exits 0 hostler stop old
assert_eq "$(entry old '.workers[0].last_exit.text')" 'returned 0 (HOSTLER_DONE)'
exits 0 hostler down
assert_nobody_left
