# The plugin aggregate under kill -9 of its workers and of the host: the table, the counter and what is put aside are to the
# byte what a program of one thread makes of the same files. Once of a real file, the registry of network addresses, and once
# of numbers whose sums must be exact.
source "$(dirname "$0")/../lib.sh"

registry=/usr/share/ieee-data
[ -f $registry/oui.csv ] || skip 'the package ieee-data is not installed'
RANDOM=${SEED:-20261127}
drop aggregate.so

# same JOB KEY[,KEY...] VALUE|- FILE...: as the reference says.
same() {
  local job=$1 lines
  lines=$(python3 "$here/reference.py" "${@:2}")
  cmp state/output/"$job"/aggregate.tsv expected.tsv || die "$job: another table (seed ${SEED:-20261127})"
  assert_eq "$(jq .counters.lines state/output/"$job"/manifest.json)" "$lines" "lines of $job"
  assert_eq "$(jq .counters.keys state/output/"$job"/manifest.json)" "$(wc -l <expected.tsv)" "keys of $job"
  hostler failed "$job" --json | jq -r 'select(.state == "skipped") | "\(.path):\(.begin)"' | sort >skipped
  sort expected.skipped | sed "s|^data/|$dir/data/|" | cmp skipped - || die "$job: something else was put aside"
  [ -s skipped ] || die "$job: nothing was put aside"
}

mkdir data
for i in 1 2 3 4 5 6; do cp $registry/oui.csv data/$i.csv; done
cp $registry/mam.csv $registry/oui36.csv $registry/iab.csv data/
awk 'BEGIN {
  print "shop,\"the price\",day"
  for (i = 1; i <= 120000; i++) {
    price = (i * 7919 % 200001 - 100000) / 100
    printf "%s,%s,%d\n", (i % 11 ? "shop " i % 11 : "\"shop, no. " i % 13 "\""), (i % 997 ? price : "n/a"), i % 7
  }
}' >data/numbers.txt

workers <<'YAML'
workers:
  - name: vendors
    plugin: aggregate.so
    count: 2
    input: {lines: "data/*.csv", slice: 512KiB}
    params: {header: true, key: Organization Name, checkpoint: 0.02}
    attempts: 1000
    max_skipped: 1%
    restart: {delay: 1ms, max_delay: 5ms, limit: 100000, within: 1s}
  - name: prices
    plugin: aggregate.so
    count: 1
    input: {lines: data/numbers.txt, slice: 1MiB}
    params: {header: true, key: [shop, day], value: the price, checkpoint: 0}
    attempts: 1000
    max_skipped: 1%
    restart: {delay: 1ms, max_delay: 5ms, limit: 100000, within: 1s}
YAML

ended() { [ -e state/output/vendors/manifest.json ] && [ -e state/output/prices/manifest.json ]; }
kills=0
for _ in 1 2 3 4 5 6; do
  "$HOSTLER" up >>up.log 2>&1 || true
  host=$(sed -n 1p state/hostler.pid)
  for _ in 1 2 3 4; do
    pass $((RANDOM % 150))
    for victim in $( (pids vendors && pids prices) 2>/dev/null); do
      if kill -KILL "$victim" 2>/dev/null; then kills=$((kills + 1)); fi
    done
  done
  if kill -KILL "$host" 2>/dev/null; then kills=$((kills + 1)); fi
  wait_until "! alive $host" 20
  ended && break
done
exits 5 hostler run # partial: lines were put aside
echo "$kills kills"
same vendors 'Organization Name' - data/*.csv
same prices shop,day 'the price' data/numbers.txt
assert_nobody_left
