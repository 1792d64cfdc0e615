# The plugin in Rust of plugin-api/README.md, as it stands there.
source "$(dirname "$0")/../lib.sh"

command -v rustc >/dev/null || skip 'there is no rustc'
blocks rust 1 <"$SOURCE_DIR/plugin-api/README.md" >primes.rs
rustc -O --crate-type cdylib primes.rs -o plugins/primes.so
assert_primes_are_counted
