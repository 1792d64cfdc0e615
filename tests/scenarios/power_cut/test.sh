# The power is cut at some moments of a job's life, and what was not made durable is lost: tests/faults/power_cut.py says how.
# CUTS=0 cuts after each call.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'a sanitizer and the preloaded library do not go together'
python3 "$SOURCE_DIR/tests/faults/power_cut.py" "$HOSTLER" "$TEST_PLUGINS/steps.so" \
  "$BUILD_DIR/tests/faults/record.so" --cuts "${CUTS:-40}" --seed "${SEED:-1}"
assert_nobody_left
