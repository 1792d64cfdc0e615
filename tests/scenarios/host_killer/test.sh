# A line that kills the host with -9: the slice is noted, done last, then alone, then quarantined; the job ends. A host that
# is stopped charges nobody.
source "$(dirname "$0")/../lib.sh"

drop poison.so tick.so
seq -f 'line %.0f' 1 2000 >text
sed -i '700s/^line/KILLHOST line/' text
workers <<'YAML'
workers:
  - plugin: poison.so
    count: 2
    input: {lines: text, slice: 2KiB}
    max_failed: 1
YAML
hosts=0 status=1
while [ $status -eq 1 ]; do
  hosts=$((hosts + 1))
  [ $hosts -lt 12 ] || die 'the job does not end'
  status=0
  hostler run >run.log 2>&1 || status=$?
  [ $status -ne 1 ] || assert_in 'killed by SIGKILL' "$(<run.log)"
done
assert_eq $status 5 "exit code of the last host ($(tail -n 3 run.log))"
assert_eq $hosts 5 'hosts'
assert_in 'runs alone' "$(<state/host.log)"
hostler failed poison --json >failed
assert_eq "$(jq -s length failed)" 1 'slices given up'
assert_in 'the host died while it ran' "$(jq -r .reason failed)"
hostler joblog poison --json >joblog
assert_eq "$(jq -s 'map(select(.slice == "'"$(jq -r .slice failed)"'")) | map(.verdict) | unique | join(" ")' joblog)" \
  '"interrupted"' 'what became of it'
assert_eq "$(jq -s 'map(select(.verdict == "interrupted" and .slice == "'"$(jq -r .slice failed)"'")) | length' joblog)" 4 \
  'lines of attempts that died with their host'
assert_in 'the host died in slice ' "$(jq -r 'select(.verdict == "interrupted") | .reason' joblog)"
begin=$(jq .begin failed) end=$(jq .end failed)
offset=$(grep -abo '^KILLHOST' text | cut -d: -f1)
[ "$begin" -le "$offset" ] && [ "$offset" -lt "$end" ] || die "slice $begin-$end does not hold $offset"
assert_nobody_left
