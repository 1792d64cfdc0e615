# Workers that write garbage over their whole page and into every descriptor they have harm nobody else: the host stays,
# a neighbour's job ends right.
source "$(dirname "$0")/../lib.sh"

drop scribble.so wordcount.so exec.so
mkdir data && for i in $(seq 8); do seq $((i * 5000)) >data/$i.txt; done
workers <<'YAML'
workers:
  - name: scribbler
    plugin: scribble.so
    count: 2
    params: {then: abort}
    restart: {delay: 20ms, max_delay: 20ms, limit: 100000}
  - name: stays
    plugin: scribble.so
    params: {then: stay}
    stop: {grace: 200ms}
  - name: scribbling_job
    plugin: scribble.so
    count: 2
    input: {range: {end: 200}, slice: 5}
    params: {then: return}
    restart: {delay: 10ms, max_delay: 10ms, limit: 30} # their pages tell nothing: no slice is to blame
  - name: claiming_job # whose page tells it to stop, though nobody had asked it to
    plugin: scribble.so
    input: {range: {end: 20}, slice: 5}
    params: {then: claims}
    attempts: 2
    max_failed: 1
    restart: {delay: 10ms, max_delay: 10ms, limit: 100}
  - name: words
    plugin: wordcount.so
    count: 2
    input: {lines: "data/*.txt", slice: 4KiB}
YAML
exits 0 hostler up
host=$(host_pid)
wait_until '[ "$(entry scribbler "[.workers[].restarts] | add")" -ge 20 ]' 60
wait_until '[ "$(entry words .state)" = succeeded ]' 60
wait_until '[ "$(status .jobs_ended)" = true ]' 60
assert_eq "$(entry scribbling_job .state)" failed
assert_eq "$(entry claiming_job .state)" partial
assert_eq "$(hostler failed claiming_job --json | jq -r .slice)" claiming_job.0-5
assert_in 'though nobody had asked it to stop' "$(hostler failed claiming_job)"
assert_eq "$(host_pid)" "$host" 'pid of the host'
assert_eq "$(entry words .counters.lines)" 180000
exits 0 hostler status # as a table, too
wait_until '[ "$(entry stays ".workers[0].state")" = running ]'
exits 0 hostler down
assert_nobody_left
