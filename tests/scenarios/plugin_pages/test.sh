# What plugin-api/README.md and the pages of the plugins that ship show, as it stands there, does what they say. (The other
# languages have scenarios of their own, and tests/abi/install_test.sh the ways to build.)
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'about a page, not about the code'

page=$SOURCE_DIR/plugin-api/README.md
compile() { # NAME: from NAME.c or NAME.cc
  case $(ls "$1".c*) in
    *.c) cc -std=c11 -O1 -fPIC -shared -I"$SOURCE_DIR/plugin-api/include" "$1.c" -o "plugins/$1.so" ;;
    *) c++ -std=c++20 -O1 -fPIC -shared -I"$SOURCE_DIR/plugin-api/include" "$1.cc" -o "plugins/$1.so" ;;
  esac
}
blocks c 1 <"$page" >primes.c
blocks cpp 1 <"$page" >longest.cc
blocks cpp 2 <"$page" >loud.cc
blocks cpp 3 <"$page" >lengths.cc
for name in primes longest loud lengths; do compile $name; done
assert_primes_are_counted

printf 'short\n\nthe longest of all lines\nof middling length\n' >text
python3 -c 'import struct, sys; [sys.stdout.buffer.write(struct.pack("II", n, n * 10)) for n in range(20)]' >samples.bin
workers <<'YAML'
workers:
  - {plugin: longest.so, input: {lines: text}}
  - {plugin: lengths.so, input: {lines: text}, max_skipped: 10%}
  - {plugin: loud.so, input: {records: {files: "*.bin", size: 8}, slice: 80}, params: {limit: 50}}
YAML
exits 5 hostler run # partial: an empty line is put aside
assert_in 'the longest of all lines' "$(hostler results longest)"
assert_eq "$(hostler results lengths 2>/dev/null)" 24 'the longest length'
assert_eq "$(cat state/output/lengths/parts/*/lengths)" $'5\n24\n18' 'lengths'
assert_in 'an empty line' "$(hostler failed lengths)"
assert_eq "$(hostler results loud)" 'all 14, most in a slice 10'
assert_eq "$(cat state/output/loud/parts/*/ids)" "$(seq 6 19)" 'loud ones'

# The pages of the plugins: each configuration is complete and runs.
use() { # PLUGIN
  rm -rf state
  drop "$1.so"
  blocks yaml <"$SOURCE_DIR/plugins/$1/README.md" >workers.yaml
}
use template
exits 0 hostler run
assert_in 'sum 499999500000' "$said"

mkdir flights
printf 'origin,destination,delay\nA,B,5\nA,C,-1\n' >flights/1.csv
printf 'delay,origin,destination\n7,A,B\n' >flights/2.csv
use aggregate
exits 0 hostler run
assert_eq "$(<state/output/delays/aggregate.tsv)" $'A\tB\t2\t12\t5\t7\nA\tC\t1\t-1\t-1\t-1' 'delays'

mkdir data photos thumbs bin
echo 'internationalization, antidisestablishmentarianism' >data/1.txt
echo a photo >photos/1.jpg
printf '#!/bin/sh\n[ "$2 $3" = "-resize 200" ] && cp "$1" "$4"\n' >bin/convert
chmod +x bin/convert
use exec
PATH=$dir/bin:$PATH exits 0 hostler run
assert_eq "$(cat state/output/longest-words/parts/*/stdout)" antidisestablishmentarianism 'words of more than 20 letters'
cmp thumbs/1.jpg photos/1.jpg
assert_nobody_left
