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
exits 4 hostler run --fresh copy
assert_in mine.txt "$said"
assert_eq "$(cat other/mine.txt)" mine
assert_eq "$(ls other)" mine.txt 'what is in a refused folder'

# `check` says so already, and a reload too; it is the file's fault.
exits 4 hostler check
assert_in 'workers.yaml:5:13: workers[0].output' "$said"
assert_in 'other" holds "mine.txt"' "$said"
sed -i 's/output: other/output: data\/a.txt/' workers.yaml
exits 4 hostler check
assert_in 'a.txt" is no folder' "$said"
sed -i 's/output: .*/output: again/' workers.yaml
mkdir -p again/.attempts/0
echo x | tee again/.attempts/0/mine >again/.attempts/precious
exits 1 hostler run --fresh copy
assert_in 'again: holds .attempts/' "$said"
assert_eq "$(cat again/.attempts/0/mine again/.attempts/precious | xargs)" 'x x'

# A committed file that is gone at the end: no _SUCCESS, and the file is named.
sed -i 's/output: .*/output: lost/; s/cat\]/sh, -c, "cat; [ $HOSTLER_INDEX != 1 ] || read -r _ <go"]/' workers.yaml
sed -i 's/output: lost/output: lost\n    count: 2/' workers.yaml
mkfifo go go2
"$HOSTLER" run --fresh copy >lost.log 2>&1 &
running=$!
wait_until '[ -e lost/parts/000000-0000000000000000000/stdout ]'
mv lost/parts/000000-0000000000000000000/stdout kept
echo >go
status=0
wait $running || status=$?
assert_eq $status 1 "exit code, having said: $(cat lost.log)"
assert_in 'parts/000000-0000000000000000000/stdout: was committed and is no longer there' "$(cat lost.log)"
assert_in '`--resume copy` goes on from there once that is mended, `--fresh copy` starts from zero' "$(cat lost.log)"
[ ! -e lost/_SUCCESS ] || die '_SUCCESS over a missing file'
exits 1 hostler run
assert_in 'no longer there' "$said"
exits 1 hostler results copy
exits 0 hostler results copy --report
assert_in 'no longer there' "$said"
mv kept lost/parts/000000-0000000000000000000/stdout
exits 0 hostler run --resume copy
[ -e lost/_SUCCESS ] || die 'no _SUCCESS though the file is back'

# Two hosts do not share one either.
mkdir first second
for host in first second; do
  printf 'host: {plugins: %s/plugins}\nworkers:\n  - {name: j, plugin: exec.so, count: 1, input: {items: [a]}, output: %s/both, params: {command: [sh, -c, "read -r _ <%s/go2"]}}\n' \
    "$dir" "$dir" "$dir" >$host/workers.yaml
done
exits 0 hostler up -c first/workers.yaml
exits 1 hostler run -c second/workers.yaml
assert_in 'both: the output folder is in use by another host' "$said"
echo >go2
wait_until '[ -e both/_SUCCESS ]'
exits 0 hostler down -c first/workers.yaml

# Two entries do not share one.
workers <<'YAML'
workers:
  - {name: one, plugin: wordcount.so, input: {lines: "data/*.txt"}, output: shared}
  - {name: two, plugin: wordcount.so, input: {lines: "data/*.txt"}, output: shared}
YAML
exits 4 hostler check
assert_in shared "$said"
assert_nobody_left
