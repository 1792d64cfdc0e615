# A worker that prints as fast as it can slows neither the host nor its neighbours, and its log stays within its limits.
source "$(dirname "$0")/../lib.sh"

drop exec.so wordcount.so
mkdir data && for i in 1 2 3 4; do seq $((i * 10000)) >data/$i.txt; done
workers <<'YAML'
host:
  logs: {size: 256KiB, keep: 3}
workers:
  - name: flood
    plugin: exec.so
    count: 2
    params: {command: [sh, -c, "exec yes \"a line of the flood, not torn, not mixed with another\""]}
    stop: {grace: 1s}
  - name: talker
    plugin: exec.so
    params:
      command: [sh, -c, "for i in $(seq 2000); do echo word $i; done; echo all >said; exec cat fifo"]
  - name: words
    plugin: wordcount.so
    count: 2
    input: {lines: "data/*.txt", slice: 16KiB}
YAML
mkfifo fifo
exits 0 hostler up
wait_until '[ -f state/logs/flood.log.3 ]' # the flood is there

wait_until '[ -f said ]' 60
slowest=0
for _ in $(seq 50); do
  took=$(curl -sS --max-time 30 -o /dev/null -w '%{time_total}' --unix-socket state/hostler.sock http://host/v1/status)
  slowest=$(awk -v a="$took" -v b="$slowest" 'BEGIN { print (a > b) ? a : b }')
done
echo "status, 50 times in the flood: at most $slowest s"
wait_until '[ "$(status .jobs_ended)" = true ]' 60
assert_eq "$(entry words .state)" succeeded

# Following it, one sees whole lines, in spite of rotation; the slower it is read the more are missed, and that is said.
timeout -s INT 2 "$HOSTLER" logs flood -f >followed.log 2>missed.log || true
line='^[0-9TZ:.-]{24} flood/[01]\[[0-9]+\] a line of the flood, not torn, not mixed with another$'
[ -s followed.log ] || die 'nothing was followed'
assert_eq "$(grep -cvE "$line" followed.log)" 0 'torn lines that were followed'

exits 0 hostler down
assert_eq "$(ls state/logs | grep -c '^flood')" 4 'files of the flood'
for file in state/logs/flood.log*; do
  [ "$(stat -c %s "$file")" -le $((256 * 1024)) ] || die "$file is larger than it may be"
  assert_eq "$(grep -cvE "$line" "$file" || true)" 0 "torn lines in $file"
done
assert_eq "$(grep -c 'talker/0\[[0-9]*\] word' state/logs/talker.log)" 2000 'lines of the talker'
hostler logs flood >all.log
cat state/logs/flood.log.{3,2,1} state/logs/flood.log | cmp - all.log
assert_nobody_left
