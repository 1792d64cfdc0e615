# Runs what README.md shows, as it stands there.
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'about a page, not about the code'

section() { awk -v heading="## $1" '$0 == heading {on = 1; next} /^## / {on = 0} on' "$SOURCE_DIR/README.md"; }

# The tree as it is after scripts/quickstart.
mkdir build
ln -s "$BUILD_DIR" build/release
rmdir plugins
ln -s "$SOURCE_DIR/plugin-api" "$SOURCE_DIR/plugins" .

section 'Drop, edit, HUP' | blocks sh >cycle.sh
assert_in 'kill -HUP' "$(cat cycle.sh)"
exits 0 bash -eux cycle.sh
echo "$said"
assert_in 'tick' "$said"
assert_in 'first' "$said"
assert_nobody_left

# The configurations: each is complete and runs.
mkdir -p fleet/plugins fleet/logs/a
cd fleet
drop exec.so
printf 'b\na\nb\n' >logs/a/1.txt
blocks yaml <"$SOURCE_DIR/README.md" >workers.yaml
exits 0 hostler run
assert_eq "$(find state/output/distinct/parts -type f | xargs cat | xargs)" 'a b'

# The example of the contract, which has each key, but for a pin and for what not every machine can enforce.
rm -rf state
mkdir data workers.d
echo word >data/1.txt
drop wordcount.so tick.so
unenforceable='sha256: \.\.\.|memory: 2GiB, |cpu: 1\.5, |processes: 64, '
if [ "$(id -u)" = 0 ]; then chmod 711 .. .; else unenforceable+='|user: nobody'; fi
blocks yaml <"$SOURCE_DIR/docs/design.md" | sed -E "s/$unenforceable//g" >workers.yaml
echo 'workers: [{name: other, plugin: tick.so}]' >workers.d/other.yaml
exits 0 hostler run
assert_eq "$(cat out/words.tsv)" $'1\tword' 'counted'

# The scripts that it names are there.
for script in quickstart test; do [ -x "$SOURCE_DIR/scripts/$script" ] || die "no scripts/$script"; done
