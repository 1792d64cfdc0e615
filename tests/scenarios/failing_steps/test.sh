# The system call fails at each step of a job between lease and done: tests/faults/steps.py says how.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'a sanitizer and the preloaded library do not go together'
python3 "$SOURCE_DIR/tests/faults/steps.py" "$HOSTLER" "$TEST_PLUGINS/steps.so" \
  "$BUILD_DIR/tests/faults/faults.so" --only ': E'
assert_nobody_left
