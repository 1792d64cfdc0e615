# Checkpoints of a worker that is somebody else: after a kill -9 in the middle of a segment the slice goes on with what it
# has saved and written, and what it leaves in the end is what an undisturbed run leaves.
source "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || skip 'only root can be somebody else'
drop segments.so
chmod 711 "$dir"
for i in $(seq 400); do echo "line $i is $([ $((i % 90)) = 7 ] && echo bad! || echo 'as it should be')"; done >data.txt
workers <<'YAML'
workers:
  - name: job
    plugin: segments.so
    user: nobody
    count: 1
    input: {lines: data.txt, slice: 64KiB}
    params: {every: 30, saved: 5000, wait_at: WAIT}
    max_skipped: 5%
YAML
sed -i "s/WAIT/$(head -n 200 data.txt | wc -c)/" workers.yaml

all() {
  cat state/output/job/parts/*/copy state/output/job/total
  jq -c .counters state/output/job/manifest.json
  hostler failed job --json --lines
  find state/output/job -printf '%P %y %u %g %m\n' | sort
}

touch gate
exits 5 hostler run
all >expected
assert_eq "$(grep -c 'as it should be' expected)" 395
assert_eq "$(stat -c %U state/output/job/parts/*/copy)" nobody 'owner of the file'

rm -r state gate
exits 0 hostler up
wait_until 'grep -qs "waits at" state/logs/job.log'
kill -KILL "$(pids job)"
wait_until '[ "$(grep -c "waits at" state/logs/job.log)" = 2 ]'
assert_eq "$(sed -n 's/.*begins at \(.*\)/\1/p' state/logs/job.log)" \
  "0 with 0 bytes
$(head -n 180 data.txt | wc -c) with 5000 bytes" 'where its attempts began'
worker=$(pids job)
assert_eq "$(stat -c %U "/proc/$worker")" nobody 'whose the worker is'

# The same with the host, which takes its worker along.
kill -KILL "$(host_pid)"
assert_nobody_left
assert_eq "$(stat -c %U state/output/job/.attempts/*/copy)" nobody 'owner of what is not committed yet'
touch gate
exits 5 hostler run
assert_eq "$(grep -c "begins at $(head -n 180 data.txt | wc -c) with 5000 bytes" state/logs/job.log)" 2 'attempts that went on'
all | diff expected - || die 'something else was left'
assert_nobody_left
