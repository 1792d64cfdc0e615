# A stack that is too small is refused with words, before anything has begun; with what is asked for, the deepest file is read.
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'its frames are larger'

drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
YAML
for command in up run check status; do
  (
    ulimit -s 64
    exits 1 hostler $command
    assert_in 'the limit of the stack is 64KiB, hostler needs 1MiB (raise it: ulimit -s 8192' "$said"
  )
done
assert_in 'Start the host in the background' "$(ulimit -s 64 && hostler --help)"

{
  printf 'workers:\n  - plugin: tick.so\n    params:\n      deep:\n'
  for depth in {1..480}; do printf '%*sk:\n' $((7 + depth)) ''; done
  printf '%*sk: 1\n' 488 ''
} >workers.yaml
(
  ulimit -s 1024
  exits 0 hostler up
  exits 0 hostler reload
  assert_eq "$said" 'nothing to change'
  exits 0 hostler check
)
assert_eq "$(running tick)" 1
exits 0 hostler down
assert_nobody_left
