# Checkpoints under kill -9 of workers and of the host, at random moments: outputs, counters, results and what is put aside
# are to the byte what an undisturbed run leaves.
source "$(dirname "$0")/../lib.sh"

kills_wanted=${KILLS:-24}
RANDOM=${SEED:-20261127}
drop segments.so
mkdir data
for file in a b; do
  awk -v file=$file 'BEGIN {for (i = 1; i <= 3000; ++i) print file, i, (i % 500 == 7 ? "is bad!" : "is as it should be")}' \
    >data/$file.txt
done
configure() { # SPIN MORE...
  cat >workers.yaml <<YAML
workers:
  - name: job
    plugin: segments.so
    count: 2
    input: {lines: "data/*.txt", slice: 40KiB}
    params: {every: 100, spin: $1}
    attempts: 1000
    max_skipped: 1%
    restart: {delay: 1ms, max_delay: 5ms}
YAML
  printf '%s\n' "${@:2}" >>workers.yaml
}

# Parts in order, without their names: where a slice was cut is no part of it.
all() {
  find state/output/job/parts -type f | sort | xargs cat
  cat state/output/job/total
  hostler status --json 2>/dev/null | jq -c '.entries[0].counters' || true
  jq -c .counters state/output/job/manifest.json
  hostler failed job --json --lines
}

configure 2000
exits 5 hostler run # partial: something was skipped
all >expected
grep -q '"state":"skipped"' expected || die "nothing was put aside: $(cat expected)"
assert_eq "$(grep -c '"state":"skipped"' expected)" 12 'records put aside'
assert_eq "$(grep -c 'line":7,' expected)" 2 'line numbers'
assert_eq "$(grep -c 'is as it should be' expected)" 5988 'lines copied'
[ -z "$(ls -A state/output/job/.attempts 2>/dev/null)" ] || die 'attempts were left behind'
assert_nobody_left

# So slow that there is time to disturb.
configure 60000
kills=0 jobs=0
while [ $kills -lt "$kills_wanted" ]; do
  rm -rf state
  jobs=$((jobs + 1))
  for _ in 1 2 3 4 5 6; do
    "$HOSTLER" up >>up.log 2>&1 || true
    host=$(cat state/hostler.pid)
    for _ in 1 2 3; do
      pass $((RANDOM % 120))
      if [ $((RANDOM % 3)) = 0 ]; then break; fi
      victim=$(pids job 2>/dev/null | cut -d' ' -f1 || true)
      if [ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null; then kills=$((kills + 1)); fi
    done
    if kill -KILL "$host" 2>/dev/null; then kills=$((kills + 1)); fi
    wait_until '! alive '"$host"
    [ ! -e state/output/job/manifest.json ] || break
  done
  exits 5 hostler run
  all | cmp - expected || die "job $jobs has left something else (seed ${SEED:-20261127})"
  [ -z "$(ls -A state/output/job/.attempts 2>/dev/null)" ] || die 'attempts were left behind'
  assert_nobody_left
done
echo "$kills kills in $jobs jobs"
