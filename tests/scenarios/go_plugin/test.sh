# The plugin in Go of plugin-api/README.md, as it stands there.
source "$(dirname "$0")/../lib.sh"

command -v go >/dev/null || skip 'there is no go'
skip_if_sanitized "Go's runtime and a sanitizer's do not get on"

page=$SOURCE_DIR/plugin-api/README.md
mkdir primes
blocks go 1 <"$page" >primes/primes.go
blocks c 2 <"$page" >primes/about.c
export GOCACHE=$BUILD_DIR/go-cache GOFLAGS=-mod=mod CGO_CFLAGS="-I$SOURCE_DIR/plugin-api/include"
(cd primes && go mod init primes && go build -buildmode=c-shared -o ../plugins/primes.so) >built 2>&1 || die "$(<built)"
assert_primes_are_counted
