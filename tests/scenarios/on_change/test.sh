# A job keeps what it was planned with: a change asks first, and an input that changes under a run stops it.
source "$(dirname "$0")/../lib.sh"

drop wordcount.so exec.so tick.so
mkdir data
printf 'one two two\n' >data/1.txt
printf 'three three three\n' >data/2.txt
configure() { # TOP, more lines
  printf 'workers:\n  - plugin: wordcount.so\n    input: {lines: "data/*.txt"}\n    params: {top: %s}\n' "$1" >workers.yaml
  cat >>workers.yaml
}

configure 2 </dev/null
exits 0 hostler run
assert_in three "$said"

# Changed, and nobody said what to do: it keeps its old settings and says so, with the two ways on.
configure 1 </dev/null
exits 0 hostler run
assert_in 'params.top 2 → 1' "$said"
assert_in '--fresh wordcount' "$said"
assert_in '--resume wordcount' "$said"
exits 0 hostler run --fresh wordcount
case $said in *two*) die 'the old result after --fresh' ;; esac
first=$(cat state/output/wordcount/top.txt)

# A new file: --resume counts it and keeps what is done.
printf 'four four four four\n' >data/3.txt
exits 0 hostler run
assert_in 'data/3.txt' "$said"
assert_eq "$(cat state/output/wordcount/top.txt)" "$first" 'the output that was kept'
exits 0 hostler run --resume wordcount
assert_eq "$(xargs <state/output/wordcount/words.tsv)" '4 four 3 three 2 two 1 one' 'the words of all'

# Another file than the one that was counted cannot be kept.
printf 'other\n' >data/1.txt
exits 1 hostler run --resume wordcount
assert_in 'data/1.txt' "$said"
exits 0 hostler run --fresh wordcount
assert_in other "$(cat state/output/wordcount/words.tsv)"
exits 1 hostler run --fresh nobody
assert_in nobody "$said"

# on_change: fresh needs no telling.
printf 'again again\n' >data/1.txt
configure 3 <<<'    on_change: fresh'
exits 0 hostler run
assert_in 'again' "$(cat state/output/wordcount/top.txt)"
assert_in 'fresh    wordcount: ' "$said"

# A reload holds the changed job and applies the rest; a start of the host does not run what is finished.
exits 0 hostler up
configure 4 <<<$'    on_change: ask\n  - plugin: tick.so'
exits 0 hostler reload
assert_in '--fresh wordcount' "$said"
wait_until '[ "$(running tick)" = 1 ]'
assert_in 'top 3 → 4' "$(entry wordcount .held)"
assert_eq "$(entry wordcount .state)" succeeded
exits 0 hostler reload --fresh wordcount
assert_eq "$(entry wordcount .held)" ''
exits 0 hostler down

# An input that changes while a slice of it runs stops the entry, and is blamed on nothing else.
rm -rf state
mkfifo fifo
workers <<'YAML'
workers:
  - name: reader
    plugin: exec.so
    input: {lines: "data/*.txt"}
    count: 1
    params: {command: [sh, -c, 'cat >/dev/null; echo began >&2; read -r _ <fifo']}
YAML
"$HOSTLER" run >run.log 2>&1 &
run=$!
wait_until 'grep -qs began state/logs/reader.log'
echo more >>data/1.txt
echo go >fifo
status=0
wait $run || status=$?
assert_eq $status 1 'exit code of a run whose input changed'
assert_in 'data/1.txt changed' "$(cat run.log)"
assert_nobody_left
