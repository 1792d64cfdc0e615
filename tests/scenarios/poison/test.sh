# A text with five lines that kill the plugin, three of them in the first slice, ends partial with exactly these lines aside
# and all else counted, whatever the plugin tells of where it is. LINES=20000000 by hand makes it a gigabyte.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'a sanitizer tells of crashes in its own way'
drop poison.so
lines=${LINES:-40000}
seq -f 'line %.0f of a text that goes on for a while, to the end' 1 "$lines" >text
slice=${SLICE:-512KiB}
poison="3 700 1500 $((lines / 2)) $lines" # the first three in the first slice, the last the last line of all
for line in $poison; do echo "${line}s/^line/POISON line/"; done | sed -f - -i text
wanted_lines=$((lines - 5))
wanted_bytes=$(grep -v '^POISON' text | tr -d '\n' | wc -c)

configure() { # HABIT
  rm -rf state
  workers <<YAML
workers:
  - plugin: poison.so
    count: 2
    params: {habit: $1}
    input: {lines: text, slice: $slice}
    restart: {delay: 10ms}
    max_failed: 0
    max_skipped: 0.1%
YAML
}

for habit in marks each blocks nothing; do
  configure $habit
  exits 5 hostler run
  assert_in 'slices done, 5 records isolated' "$said"
  hostler failed poison --json | jq -c 'select(.state == "isolated")' >aside
  assert_eq "$(jq -r '[.input, .begin, .end, .state] | join(" ")' aside)" \
    "$(grep -abo '^POISON.*' text | awk -F : '{print 0, $1, $1 + length($2) + 1, "isolated"}')" "$habit: what is aside"
  assert_eq "$(jq -r .bytes aside)" "$(grep '^POISON' text)" "$habit: their bytes"
  assert_in 'killed by SIGSEGV (address 0x0' "$(jq -r .reason aside)"
  assert_in 'look_at' "$(jq -r .backtrace aside)"
  assert_eq "$(hostler failed poison --lines --json | jq -r .line | xargs)" "$(echo $poison)" "$habit: their lines"
  hostler results poison --report --json >report
  assert_eq "$(jq -c '[.state, .progress.isolated, .progress.quarantined, .counters.lines, .counters.bytes]' report)" \
    "[\"partial\",5,0,$wanted_lines,$wanted_bytes]" "$habit: report"
  lost=$(jq .failures report)
  case $habit in
    marks | each) [ "$lost" -le $((2 * 5 + 2)) ] || die "$habit: $lost attempts were lost" ;;
  esac
  assert_in "isolated     poison.0-" "$(hostler results poison --report || true)"
done

# Lines after which the worker cannot say a word, which shows only at the end of a slice: the mark is on an innocent one.
mv text poisoned
seq -f 'line %.0f of a text' 1 600 | sed '100s/^/CLOSE /; 101s/^/CLOSE /; 555s/^/CLOSE /' >text
slice=4KiB configure marks
sed -i 's/max_skipped: 0.1%/max_skipped: 3/' workers.yaml
exits 5 hostler run
assert_eq "$(hostler failed poison --json --lines | jq -r .line | xargs)" '100 101 555' 'the lines that close descriptors'
assert_in "the plugin has closed hostler's descriptor" "$(hostler failed poison)"
mv poisoned text

# More than max_skipped allows: failed, with words, and named all the same.
configure marks
sed -i 's/max_skipped: 0.1%/max_skipped: 4/' workers.yaml
exits 1 hostler run
assert_in '5 records isolated' "$said"
assert_in 'more than max_skipped allows' "$said"
assert_eq "$(hostler failed poison --json | wc -l)" 5
# A plugin that has learned to live with them does the rest, and only that.
cat >mended.c <<'END2'
#include <hostler/plugin.h>
HOSTLER_PLUGIN("poison", "2.0.0", HOSTLER_SPLITTABLE);
int run(const hostler_slice_t *slice) {
  slice->host->counter(slice, "lines", 1);
  return HOSTLER_DONE;
}
END2
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o new.so mended.c
mv new.so plugins/poison.so
exits 0 hostler retry poison
exits 0 hostler run
hostler results poison --report --json >report
assert_eq "$(jq -c '[.state, .progress.isolated, .counters.lines]' report)" "[\"succeeded\",0,$lines]" 'after the retry'

# Not to be cut: the slice whole.
drop poison.so
configure marks
sed -i 's/max_failed: 0/max_failed: 3\n    split: off\n    attempts: 2/' workers.yaml
exits 5 hostler run
assert_eq "$(hostler failed poison --json | jq -r .state | sort -u)" quarantined

# It is the code: no more attempts than max(5, count), and the words say so.
configure marks
sed -i 's/habit: marks/everywhere: yes/; s/512KiB/64KiB/' workers.yaml
exits 1 hostler run
assert_in 'the code, not the data' "$said"
assert_eq "$(hostler joblog poison --json | jq -r .verdict | sort | uniq -c | xargs)" '5 crash' 'attempts'
assert_in 'the code, not the data' "$(cat state/host.log)"
assert_in 'the code, not the data' "$(hostler results poison --report 2>&1 || true)"
assert_nobody_left
