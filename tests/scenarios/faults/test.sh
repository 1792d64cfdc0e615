# System calls of the host and the template fail, one kind after the other: the host stays up and says so, and all is well
# again when they no longer do.
source "$(dirname "$0")/../lib.sh"

# A fault lasts for a moment; so slow a host may not meet the call in question meanwhile, and has nothing to say then.
skip_if_sanitized 'a sanitizer is too slow for this'
python3 "$SOURCE_DIR/tests/faults/faults.py" "$HOSTLER" "$TEST_PLUGINS/witness.so" "$BUILD_DIR/tests/faults/faults.so"
assert_nobody_left
