# Idle workers take from a straggler, and a stop cuts a slice where it stands: every position is worked on once.
source "$(dirname "$0")/../lib.sh"

drop trace_claims.so
# job COUNT MICROS MORE...: a job of one slice of 1000 positions, that long each while there is a file `slow`.
job() {
  {
    printf 'workers:\n  - name: job\n    plugin: trace_claims.so\n    count: %s\n' "$1"
    printf '    input: {range: {end: 1000}, slice: 1000}\n'
    printf '    params: {trace: "%s/trace", micros: "%s", while: "%s/slow"}\n' "$PWD" "$2" "$PWD"
    printf '%s\n' "${@:3}"
  } >workers.yaml
}
touch slow
# Each position once in the trace, and the committed ranges lie end to end.
each_once() {
  assert_eq "$(sort -n trace | tr '\n' ' ')" "$(seq 0 999 | tr '\n' ' ')" 'positions claimed'
  exits 0 hostler results job
  grep -E '^[0-9]+ [0-9]+ [0-9]+$' <<<"$said" | sort -n >ranges
  assert_eq "$(awk '{if ($1 != last) print "gap before " $1; last = $2} END {print last}' last=0 ranges)" 1000 ranges
}

# Shared out.
job 3 1000
exits 0 hostler run
each_once
if [ "$(wc -l <ranges)" -lt 2 ]; then die 'nobody took a share'; fi
if [ "$(cut -d' ' -f3 ranges | sort -u | wc -l)" -lt 2 ]; then die 'one worker did it all'; fi

# Unless it is not wanted.
rm -rf state trace
job 3 1000 '    split: off'
exits 0 hostler run
each_once
assert_eq "$(wc -l <ranges)" 1 'ranges without a split'

# Stopped, scaled, restarted and reloaded again and again, at any moment: no claim is lost.
# What is left when the last order is given would take seconds, so that none comes too late on a machine that is busy.
rm -rf state trace
job 2 20000
touch trace
exits 0 hostler up
RANDOM=${SEED:-5}
for ((round = 0; $(wc -l <trace) < 300; round++)); do
  seen=$(wc -l <trace)
  wait_until '[ "$(wc -l <trace)" -gt '$((seen + RANDOM % 10))' ]'
  case $((round % 6)) in
    0) exits 0 hostler down && exits 0 hostler up ;;
    1) exits 0 hostler stop job && exits 0 hostler start job ;;
    2) exits 0 hostler restart job ;;
    3) exits 0 hostler scale job 1 ;;
    4) exits 0 hostler scale job 3 ;;
    5) # another build of it
      cp plugins/trace_claims.so another && printf '\0' >>another && mv another plugins/trace_claims.so
      exits 0 hostler reload
      ;;
  esac
done
rm slow
wait_until '[ "$(entry job .state)" = succeeded ]'
assert_eq "$(entry job .progress.positions_done)" 1000 'positions done'
exits 0 hostler down
each_once
assert_nobody_left
