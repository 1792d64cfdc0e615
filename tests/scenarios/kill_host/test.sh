# kill -9 of the host, at random moments, again and again: what the job leaves in the end is to the byte what an undisturbed
# run leaves, nobody outlives it, and no slice ever has two live owners (plugins/witness.cc looks).
source "$(dirname "$0")/../lib.sh"

kills_wanted=${KILLS:-$(rounds 56)}
RANDOM=${SEED:-20260131}
drop witness.so tick.so
mkdir data marks
for file in a b c; do seq -f "$file %.0f the quick brown fox" 1 1500 >"data/$file.txt"; done
configure() {
  cat >workers.yaml <<YAML
workers:
  - plugin: witness.so
    count: 3
    input: {lines: "data/*.txt", slice: 2KiB}
    params: {dir: $dir/marks, rounds: $1}
    split: off # its merge tells of each slice
  - plugin: tick.so
YAML
}

# So many rounds a line that an undisturbed run takes about half a second here, whatever is compiled in.
rounds=50
for _ in 1 2 3 4 5 6; do
  configure $rounds
  rm -rf state marks/*
  start=$(date +%s%N)
  exits 0 hostler run
  took=$((($(date +%s%N) - start) / 1000000))
  [ $took -lt 500 ] || break
  rounds=$((rounds * 3))
done
echo "undisturbed: $took ms with $rounds rounds"

# All that a job leaves: the parts in order, merge's files, and what results says.
all() {
  find state/output/witness/parts -type f | sort | xargs cat
  cat state/output/witness/summary
  hostler results witness
}
all >expected
[ -f state/output/witness/_SUCCESS ] || die 'no _SUCCESS'
assert_nobody_left

host_of() { # run|up COMMAND: the host's pid, of one in the foreground from its very first moment on
  if [ "$1" = run ]; then ps -o pid= --ppid "$2" | xargs; else cat state/hostler.pid 2>/dev/null; fi || true
}
# The one that was killed last may still be dying, and stands in the pidfile until the next one writes its own.
is_new_host() { [ -n "$host" ] && [ "$host" != "$killed" ] && alive "$host"; }

# begin run|up: leaves the command's pid in $command and the host's in $host, as early as it can be known; nothing when it
# is over already.
begin() {
  "$HOSTLER" "$1" >>run.log 2>&1 &
  command=$! host=
  until is_new_host || ! alive "$command"; do host=$(host_of "$1" "$command"); done
  host=$(host_of "$1" "$command")
  is_new_host || host=
}

kills=0 jobs=0 killed=
while [ $kills -lt "$kills_wanted" ]; do
  rm -rf state marks/*
  jobs=$((jobs + 1))
  for _ in 1 2 3 4 5 6 7 8; do
    if [ $((RANDOM % 2)) = 0 ]; then begin run; else begin up; fi
    [ -n "$host" ] || break
    pass $((RANDOM % (took * 3 / 4 + 20)))
    if kill -KILL "$host" 2>/dev/null; then kills=$((kills + 1)); fi
    killed=$host
    wait "$command" 2>/dev/null || true
    [ ! -e state/output/witness/_SUCCESS ] || break # it was done already
  done
  status=0
  hostler run >>run.log 2>&1 || status=$?
  assert_eq $status 0 "exit code after the kills of job $jobs ($(tail -n 3 run.log))"
  [ ! -e marks/violations ] || die "two owners: $(cat marks/violations)"
  assert_nobody_left
  all | cmp - expected || die "job $jobs has left something else (seed ${SEED:-20260131})"
  [ -z "$(ls -A state/output/witness/.attempts 2>/dev/null)" ] || die 'attempts were left behind'
done
echo "$kills kills in $jobs jobs"
