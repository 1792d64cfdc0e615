# The quick start's configuration, its numbers against coreutils on the same input, and a service beside the job.
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'about a page, not about the code'

sed "s|plugins: .*|plugins: $PLUGINS|" "$SOURCE_DIR/config/workers.yaml" >workers.yaml
assert_in wordcount.so "$(cat workers.yaml)"

started=$SECONDS
exits 0 hostler run
echo "$said" | tail -n 30
echo "took $((SECONDS - started)) s"

# The same words, counted by others. The input is what the glob means: no symlinked folders, no dot files.
find /usr/include -name '.*' -prune -o -type f -name '*.h' -print0 | sort -z | xargs -0 cat >all.txt
find /usr/include -name '.*' -prune -o -type l -name '*.h' -print0 | xargs -0 --no-run-if-empty sh -c 'for f; do [ ! -f "$f" ] || cat "$f"; done' sh >>all.txt
tr -cs 'A-Za-z' '\n' <all.txt | tr A-Z a-z | grep . | sort | uniq -c | awk '{print $1, $2}' | sort -k1,1nr -k2,2 >expected.txt
tr '\t' ' ' <state/output/wordcount/words.tsv >actual.txt
cmp expected.txt actual.txt || { diff expected.txt actual.txt | head -n 10 >&2 && die 'other numbers than coreutils'; }

# What run has said is what results says, again and again, and a finished job is not run twice.
exits 0 hostler results wordcount
top=$said
while read -r count word; do assert_in "$word" "$top" && assert_in "$count" "$top"; done < <(head -n 20 expected.txt)
exits 0 hostler run
assert_in "$(head -n 1 <<<"$top")" "$said"
assert_nobody_left
