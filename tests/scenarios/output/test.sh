# The output folder: parts in order, merged files beside them, _SUCCESS at the end, and nobody else's files.
source "$(dirname "$0")/../lib.sh"

drop exec.so wordcount.so
mkdir data
seq 1 2000 >data/a.txt
seq 2001 3000 | tr '\n' ' ' | sed 's/ $//' >data/b.txt # one long line without an end
printf 'x\r\n\r\n\ny' >data/c.txt
workers <<'YAML'
workers:
  - name: copy
    plugin: exec.so
    input: {lines: "data/*.txt", slice: 512}
    output: out
    params: {command: [cat]}
YAML
exits 0 hostler run
[ -f out/_SUCCESS ] || die 'no _SUCCESS'
cat data/*.txt >expected
find out/parts -type f | sort | xargs cat | cmp - expected || die 'the parts in order are not the input'
[ "$(find out/parts -mindepth 1 -maxdepth 1 -type d | wc -l)" -gt 10 ] || die 'not in parts'
[ ! -e out/.attempts ] || [ -z "$(ls -A out/.attempts)" ] || die 'attempts were left'
exits 0 hostler run --fresh copy
find out/parts -type f | sort | xargs cat | cmp - expected || die 'other parts the second time'

# A folder with somebody else's files is refused, and they stay: beside our own, and before we were ever there.
echo mine >out/mine.txt
exits 1 hostler run --fresh copy
assert_in mine.txt "$said"
assert_eq "$(cat out/mine.txt)" mine
find out/parts -type f | sort | xargs cat | cmp - expected || die 'a refused run has deleted'
rm out/mine.txt
exits 0 hostler run --fresh copy
mkdir other
echo mine >other/mine.txt
sed -i 's/output: out/output: other/' workers.yaml
exits 1 hostler run --fresh copy
assert_in mine.txt "$said"
assert_eq "$(cat other/mine.txt)" mine
assert_eq "$(ls other)" mine.txt 'what is in a refused folder'

# Two entries do not share one.
workers <<'YAML'
workers:
  - {name: one, plugin: wordcount.so, input: {lines: "data/*.txt"}, output: shared}
  - {name: two, plugin: wordcount.so, input: {lines: "data/*.txt"}, output: shared}
YAML
exits 4 hostler check
assert_in shared "$said"
assert_nobody_left
