# The plugin in Rust of plugin-api/README.md, as it stands there.
source "$(dirname "$0")/../lib.sh"

command -v rustc >/dev/null || skip 'there is no rustc'
awk '$0 == "```rust" {on = 1; next} on && /^```/ {exit} on' "$SOURCE_DIR/plugin-api/README.md" >primes.rs
rustc -O --crate-type cdylib primes.rs -o plugins/primes.so

workers <<'YAML'
workers:
  - plugin: primes.so
    count: 2
    input: {range: {begin: 0, end: 200000}}
YAML
exits 0 hostler run
assert_in 'counters: primes 17984' "$said"
assert_nobody_left
