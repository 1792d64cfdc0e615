# What workers print comes line by line into the entry's log, with time, instance and pid.
source "$(dirname "$0")/../lib.sh"

drop exec.so
workers <<'YAML'
workers:
  - name: talker
    plugin: exec.so
    count: 2
    params:
      command:
        - sh
        - -c
        - |
          echo "to stdout $HOSTLER_INDEX"
          echo "to stderr $HOSTLER_INDEX" >&2
          read -r word <fifo.$HOSTLER_INDEX
          echo "to stdout $word"
          printf "no newline"
          exec cat fifo.$HOSTLER_INDEX
YAML
mkfifo fifo.0 fifo.1
exits 0 hostler up
wait_until '[ "$(grep -cs "to std" state/logs/talker.log)" = 4 ]'
line='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z talker/[01]\[[0-9]+\] '
[ -z "$(grep -vE "$line" state/logs/talker.log)" ] || die "a line of another form: $(cat state/logs/talker.log)"
exits 0 hostler logs talker
assert_in 'to stdout 0' "$said"
assert_in 'to stderr 1' "$said"
exits 0 hostler logs talker/1
assert_in 'to stdout 1' "$said"
case $said in *'to stdout 0'*) die 'lines of another instance' ;; esac
exits 1 hostler logs nobody

# -f follows, across USR1, until it is told to end.
"$HOSTLER" logs talker -f >followed.log &
follower=$!
wait_until 'grep -q "to stdout 0" followed.log'
mv state/logs/talker.log state/logs/talker.log.1
kill -USR1 "$(host_pid)"
wait_until '[ -f state/logs/talker.log ]'
echo later >fifo.0
wait_until 'grep -q "talker/0.* to stdout later" state/logs/talker.log'
wait_until 'grep -q "to stdout later" followed.log'
assert_eq "$(grep -c 'to std' followed.log)" 5 'lines that were followed'
kill -INT $follower
wait $follower || die "logs -f ended with $?"

# A folder that somebody has taken away is there again.
rm -r state/logs
kill -USR1 "$(host_pid)"
wait_until '[ -d state/logs ]'
exits 0 hostler restart talker
wait_until 'grep -q "talker/0.* to stdout 0" state/logs/talker.log'
echo latest >fifo.0
wait_until 'grep -q "talker/0.* to stdout latest" state/logs/talker.log'

exits 0 hostler down
assert_in 'no newline' "$(cat state/logs/talker.log)"
exits 0 hostler logs talker # without a host, too
assert_nobody_left
