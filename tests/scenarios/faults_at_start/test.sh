# A system call of a host that is about to start fails: it is up all the same, or says why not and leaves nothing behind. Some
# of them; scripts/faults tries all.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'a sanitizer is too slow for this'
python3 "$SOURCE_DIR/tests/faults/faults.py" "$HOSTLER" "$TEST_PLUGINS/witness.so" \
  "$BUILD_DIR/tests/faults/faults.so" --at-start 7
assert_nobody_left
