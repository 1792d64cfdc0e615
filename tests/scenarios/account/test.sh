# What the ledger tells of a job: slices, failed, joblog, the report; and replay, which runs one of its slices again.
source "$(dirname "$0")/../lib.sh"

cat >parts.c <<'END'
#include <hostler/plugin.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
HOSTLER_PLUGIN("parts", "1.0.0", 0);
int run(const hostler_slice_t *slice) {
  if (slice->index == 1 && slice->attempt == 1) return HOSTLER_ERROR;
  if (slice->index == 2) {
    slice->host->fail(slice, "too\nbad");
    return HOSTLER_BAD_DATA;
  }
  if (slice->index == 4) *(volatile int *)8 = 1;
  char text[64];
  const int size = snprintf(text, sizeof text, "%s %lld", slice->host->param(slice, "greeting"), (long long)slice->begin);
  slice->host->result(slice, text, (size_t)size);
  slice->host->counter(slice, "parts", 1);
  const int file = slice->host->output(slice, "part.txt");
  return file >= 0 && write(file, text, (size_t)size) == size ? HOSTLER_DONE : HOSTLER_ERROR;
}
END
build() { cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o new.so parts.c && mv new.so plugins/parts.so; }
build
workers <<'YAML'
workers:
  - plugin: parts.so
    name: my-job
    count: 2
    attempts: 2
    max_failed: 2
    restart: {delay: 10ms}
    params: {greeting: hello}
    input: {range: {begin: 0, end: 60}, slice: 10}
YAML
for command in slices failed joblog replay; do
  exits 1 hostler $command my-job.0-10
done
exits 5 hostler run
assert_in '4 of 6 done, 2 quarantined, 8 attempts, 4 of them failed' "$said"
assert_in 'slowest      my-job.' "$said"
assert_in 'quarantined  my-job.0-20  returned 65 (HOSTLER_BAD_DATA): too?bad' "$said"

# A line for each row, and all of them cover the job.
hostler slices my-job --json >slices
assert_eq "$(jq -s 'map(.positions) | add' slices)" 60 'positions'
assert_eq "$(jq -r 'select(.state == "quarantined") | [.slice, .begin, .end, .attempts, .verdict] | @csv' slices)" \
  '"my-job.0-20",20,30,1,"bad data"
"my-job.0-40",40,50,2,"crash"' 'what is given up'
assert_eq "$(hostler slices my-job --state quarantined)" "$(hostler failed my-job)"
assert_eq "$(hostler slices my-job --state quarantined --state state --json)" "$(hostler failed my-job --state state --json)"
assert_eq "$(hostler slices my-job --state backoff 2>&1)" 'no slice of my-job is backoff'
assert_in 'killed by SIGSEGV' "$(hostler failed my-job)"

# A line for each attempt, in GNU parallel's columns and more.
hostler joblog my-job >joblog
assert_eq "$(head -n 1 joblog | cut -f 1-9 | tr '\t' ' ')" \
  'Seq Host Starttime JobRuntime Send Receive Exitval Signal Command'
assert_eq "$(tail -n +2 joblog | awk -F '\t' '{print $10, $17, $7, $8, $13}' | sort)" \
  'my-job.0-0 done 0 0 1
my-job.0-10 done 0 0 2
my-job.0-10 failure 70 0 1
my-job.0-20 bad data 65 0 1
my-job.0-30 done 0 0 1
my-job.0-40 crash 0 11 1
my-job.0-40 crash 0 11 2
my-job.0-50 done 0 0 1' 'attempts'
assert_eq "$(awk -F '\t' 'NF != 18' joblog)" '' 'lines with another number of columns'
assert_eq "$(hostler joblog my-job --json | jq -r 'select(.signal == 11) | .verdict' | sort -u)" crash
hostler results my-job --report --json >report
assert_eq "$(jq -c '[.state, .attempts, .failures, .processes > 0, .cpu_seconds > 0, .peak_bytes > 100000, .counters.parts]' report)" \
  '["partial",8,4,true,true,true,4]' 'report'

# The same again while a host has the job.
exits 0 hostler up
assert_eq "$(hostler slices my-job --json)" "$(<slices)" 'slices beside a host'
assert_eq "$(hostler joblog my-job)" "$(<joblog)" 'joblog beside a host'

# A slice again, in the build of its last attempt, with what it was given; nothing of the job is touched.
find state/output -type f | sort >files
sed -i 's/"1.0.0"/"2.0.0"/; s/index == 4/index == 9/' parts.c
build
hostler replay my-job.0-0 >out 2>err
assert_eq "$(<out)" 'hello 0' 'the result of a replay'
assert_in 'counter parts 1' "$(<err)"
assert_in 'my-job.0-0: done' "$(<err)"
file=$(sed -n 's/^file //p' err)
assert_eq "$(<"$file")" 'hello 0' 'the file of a replay'
rm -r "${file%/files/*}"
exits 1 hostler replay my-job.0-40
assert_in 'crash: killed by SIGSEGV (address 0x8) in slice 0-40, parts.so+0x' "$said"
assert_in 'crash: SIGSEGV' "$said"
assert_in '#0  run parts.so+0x' "$said"
exits 0 hostler replay my-job.0-10
exits 2 hostler replay my-job
exits 1 hostler replay my-job.0-77
exits 1 hostler replay my-job.merge
assert_in "the plugin has no merge()" "$said"
if command -v gdb >/dev/null && gdb -q -batch -ex 'starti' true >/dev/null 2>&1; then
  said=$(printf 'backtrace 1\nprint slice->begin\ncontinue\nprint $_siginfo._sifields._sigfault.si_addr\nkill\n' |
    hostler replay my-job.0-40 --debug 2>&1) || true
  assert_in 'run (' "$said"
  assert_in 'received signal SIGSEGV' "$said"
fi
PATH=/nowhere exits 1 "$HOSTLER" replay my-job.0-10 --debug
assert_in 'gdb is not installed' "$said"
exits 0 hostler down
assert_eq "$(find state/output -type f | sort)" "$(<files)" 'files of the output'
assert_eq "$(hostler joblog my-job)" "$(<joblog)" 'joblog after all that'

# The merge of a job, too; and what has no file any more takes the build that there is.
sed -i 's/greeting: hello/greeting: hi/' workers.yaml
rm -r state/store
exits 0 hostler replay my-job.0-40
assert_in 'hello 40' "$said"
assert_nobody_left

# Whatever a file is called, a record of it is a line; and of a job that has only skipped something nothing is to be resumed.
rm -rf state plugins/parts.so
cat >skips.c <<'END'
#include <hostler/plugin.h>
HOSTLER_PLUGIN("skips", "1.0.0", 0);
int run(const hostler_slice_t *slice) {
  return slice->host->skip(slice, slice->begin, slice->begin + 2, "no\tgood") == 0 ? HOSTLER_DONE : HOSTLER_ERROR;
}
END
cc -shared -fPIC -I"$SOURCE_DIR/plugin-api/include" -o plugins/skips.so skips.c
mkdir odd
printf 'x\n' >odd/$'two\nlines\tand\e[31m.txt'
workers <<'YAML'
workers:
  - plugin: skips.so
    max_skipped: 1
    input: {lines: "odd/*"}
YAML
exits 5 hostler run
assert_in '`--fresh skips` starts from zero' "$said"
case $said in *--resume*) die "offers a resume: $said" ;; esac
assert_in 'skips: partial, 1 of 1 slice done: 1 record skipped' "$said"
assert_in '1 attempt, 0 of them failed' "$said"
assert_eq "$(hostler failed skips --lines | tail -n +2)" \
  "$(printf '%-40s %-24s %s' "$PWD/odd/two?lines?and?[31m.txt:1" 0-2 'no?good: x?')" 'the record in a line'
