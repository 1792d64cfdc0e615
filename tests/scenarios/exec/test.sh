# Any program can be a worker.
source "$(dirname "$0")/../lib.sh"

drop exec.so
mkdir data
for i in 3 1 2; do seq "$i" 3 999; done >data/a.txt
seq 100 >data/b.txt

# parts NAME: what the programs printed, in order.
parts() { find "state/output/$1/parts" -type f | sort | xargs cat; }

# LINES on stdin, cut at lines: sort -u over the whole equals sort -u over the parts' sort -u.
workers <<'YAML'
workers:
  - {name: lines, plugin: exec.so, input: {lines: "data/*.txt", slice: 700}, params: {command: [sort, -u]}}
YAML
exits 0 hostler run
parts lines | sort -u | cmp - <(sort -u data/*.txt)
[ "$(find state/output/lines/parts -type f | wc -l)" -gt 3 ] || die 'one part only'

# RECORDS on stdin, whole.
head -c 4096 data/a.txt | head -c 1000 >records
workers <<'YAML'
workers:
  - {name: records, plugin: exec.so, input: {records: {files: [records], size: 8}, slice: 64}, params: {command: [cat]}}
YAML
exits 0 hostler run
parts records | cmp - records

# {} is the item, the path or the number, and the environment says the rest.
workers <<'YAML'
workers:
  - {name: items, plugin: exec.so, input: {items: [x, "y z", "$(w)"], slice: 1}, params: {command: [printf, '%s|', '{}', 'a{}b']}}
  - {name: files, plugin: exec.so, input: {files: "data/*.txt"}, params: {command: [wc, -l, '{}']}}
  - name: numbers
    plugin: exec.so
    input: {range: {begin: 5, end: 8}, slice: 1}
    params: {command: [sh, -c, 'echo "$0 $HOSTLER_INDEX/$HOSTLER_COUNT $HOSTLER_ATTEMPT $HOSTLER_BEGIN-$HOSTLER_END $HOSTLER_WORKER"', '{}']}
YAML
exits 0 hostler run
assert_eq "$(parts items)" 'x|axb|y z|ay zb|$(w)|a$(w)b|' 'items'
parts files | awk '{print $1}' | xargs | grep -qx '999 100' || die "files: $(parts files)"
assert_eq "$(parts numbers | xargs)" '5 0/3 1 5-6 numbers 6 1/3 1 6-7 numbers 7 2/3 1 7-8 numbers' 'numbers'

# What a program leaves running in the background writes nothing into an output that is committed.
workers <<'YAML'
workers:
  - name: late
    plugin: exec.so
    count: 1
    input: {items: [x, y], slice: 1}
    params: {command: [sh, -c, 'if [ $HOSTLER_ITEM = x ]; then (setsid sh -c "echo \$\$ >pid; exec sleep 1000") & until [ -s pid ]; do :; done; fi; echo done']}
YAML
exits 0 hostler run
assert_eq "$(parts late | xargs)" 'done done'
alive "$(cat pid)" && die 'what the program left runs on'

# To the log instead, and a failure in words.
workers <<'YAML'
workers:
  - {name: log, plugin: exec.so, input: {items: [x]}, params: {stdout: log, command: [echo, 'hello {}']}}
  - {name: bad, plugin: exec.so, input: {items: [x]}, attempts: 1, params: {command: [sh, -c, 'exit 3']}}
  - {name: none, plugin: exec.so, input: {items: [x]}, attempts: 1, params: {command: [/no/such/program]}}
YAML
exits 1 hostler run
assert_in 'hello x' "$(cat state/logs/log.log)"
assert_in "exited with code 3" "$said"
assert_in "/no/such/program" "$said"
assert_nobody_left
