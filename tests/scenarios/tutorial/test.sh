# docs/tutorial.md, step by step as it stands there.
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'about a page, not about the code'

registry=/usr/share/ieee-data/oui.csv
[ -f $registry ] || skip 'the package ieee-data is not installed'

# The tree as it is after scripts/quickstart.
mkdir build
ln -s "$BUILD_DIR" build/release
rmdir plugins
ln -s "$SOURCE_DIR/plugin-api" "$SOURCE_DIR/plugins" .

blocks sh <"$SOURCE_DIR/docs/tutorial.md" >steps.sh
assert_in 'hostler retry highest' "$(<steps.sh)"
exits 0 bash -eu steps.sh
echo "$said"

# What the page says comes out, does.
awk '/^```$/ {on = !on; next} /^```/ {on = 1; next} on && /\t/' "$SOURCE_DIR/docs/tutorial.md" >shown
assert_in "$(<shown)" "$said"
assert_in 'a quote is not closed on its line: MA-L,' "$said"
assert_in 'highest.cc:' "$said"
cd build/vendors
python3 "$SOURCE_DIR/tests/scenarios/aggregate/reference.py" 'Organization Name' - data/*.csv >/dev/null
cmp state/output/vendors/aggregate.tsv expected.tsv
assert_eq "$(hostler results highest || true)" "$(grep ^MA- $registry | cut -d, -f2 | sort | tail -n 1)" 'the highest block'
assert_eq "$(hostler failed vendors --json | wc -l)" "$(wc -l <expected.skipped)" 'lines put aside'
assert_nobody_left
