# A hundred stops and starts of all kinds, at random moments, while a job is at work: whatever is claimed is done, so all
# attempts together have worked on just what there is. (1 % more would be allowed, but that of a job in which little is done
# between two stops would hide a lot.)
source "$(dirname "$0")/../lib.sh"

drop trace_claims.so
numbers=100000
configure() { # COUNT
  workers <<YAML
workers:
  - name: job
    plugin: trace_claims.so
    count: $1
    input: {range: {end: $numbers}, slice: 20000}
    params: {trace: "$PWD/trace", micros: 10000, while: "$PWD/slow"}
YAML
}
configure 2
touch trace slow
exits 0 hostler up
RANDOM=${SEED:-1}
stops=${ROUNDS:-$(rounds 100)}
for ((round = 0; round < stops; round++)); do
  seen=$(wc -l <trace)
  wait_until '[ "$(wc -l <trace)" -gt '$((seen + RANDOM % 4))' ]'
  case $((RANDOM % 7)) in
    0) exits 0 hostler down && exits 0 hostler up ;;
    1) exits 0 hostler stop job && exits 0 hostler start job ;;
    2) exits 0 hostler pause job && exits 0 hostler resume job ;;
    3) exits 0 hostler restart job ;;
    4) exits 0 hostler scale job $((1 + RANDOM % 3)) ;;
    5) configure $((1 + RANDOM % 3)) && exits 0 hostler reload ;;
    6) # another build of it
      cp plugins/trace_claims.so another && printf '\0' >>another && mv another plugins/trace_claims.so
      exits 0 hostler reload
      ;;
  esac
done
rm slow
wait_until '[ "$(entry job .state)" = succeeded ]' 100
assert_eq "$(entry job .counters.numbers)" $numbers 'numbers counted'
exits 0 hostler down
assert_nobody_left

claimed=$(wc -l <trace)
echo "$round rounds, $claimed claims of $numbers"
assert_eq "$(sort -nu trace | wc -l)" $numbers 'numbers claimed'
assert_eq "$claimed" $numbers 'claims of all attempts'
