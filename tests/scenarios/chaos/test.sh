# kill -9 of the host, the template and workers, at random, alone and together: nobody is left behind, nothing has two owners,
# all come back, and the job leaves what it should. scripts/chaos does the same for longer, with other seeds.
source "$(dirname "$0")/../lib.sh"

python3 "$SOURCE_DIR/tests/chaos/chaos.py" "$HOSTLER" "$TEST_PLUGINS/witness.so" --rounds "${ROUNDS:-$(rounds 60)}" --seed "${SEED:-20260131}"
assert_nobody_left
