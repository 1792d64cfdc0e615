# System calls of the host and the template fail, one kind after the other: the host stays up and says so, and all is well
# again when they no longer do.
source "$(dirname "$0")/../lib.sh"

# The sanitizer wants to come first; nothing of it is in what is preloaded.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
TMPDIR=$dir python3 "$SOURCE_DIR/tests/faults/faults.py" "$HOSTLER" "$TEST_PLUGINS/witness.so" "$BUILD_DIR/tests/faults/faults.so"
assert_nobody_left
