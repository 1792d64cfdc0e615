# The plugin in Go of plugin-api/README.md, as it stands there.
source "$(dirname "$0")/../lib.sh"

command -v go >/dev/null || skip 'there is no go'
[[ "$(nm -D "$HOSTLER")" =~ __(asan|tsan)_init ]] && skip "Go's runtime and a sanitizer's do not get on"

# block LANGUAGE N: the Nth such block of the page.
block() {
  awk -v open="\`\`\`$1" -v n="$2" '$0 == open {on = ++seen == n; next} /^```/ {on = 0} on' "$SOURCE_DIR/plugin-api/README.md"
}
mkdir primes
block go 1 >primes/primes.go
block c 2 >primes/about.c
export GOCACHE=$BUILD_DIR/go-cache GOFLAGS=-mod=mod CGO_CFLAGS="-I$SOURCE_DIR/plugin-api/include"
(cd primes && go mod init primes && go build -buildmode=c-shared -o ../plugins/primes.so) >built 2>&1 || die "$(<built)"

workers <<'YAML'
workers:
  - plugin: primes.so
    count: 2
    input: {range: {begin: 0, end: 200000}}
YAML
exits 0 hostler run
assert_in 'counters: primes 17984' "$said"
assert_nobody_left
