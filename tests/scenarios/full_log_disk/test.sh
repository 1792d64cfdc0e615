# Logs on a disk that is really full: lines are dropped and counted, no worker waits, and all goes on when there is room.
source "$(dirname "$0")/../lib.sh"

mkdir -p state/logs
mount -t tmpfs -o size=256k hostler-test state/logs 2>/dev/null || skip 'no file system can be mounted here'
cleanup() { umount -l "$dir/state/logs"; }
head -c 150000 /dev/zero >state/logs/ballast

drop exec.so
workers <<'YAML'
workers:
  - name: talker
    plugin: exec.so
    params:
      command:
        - sh
        - -c
        - |
          for i in $(seq 20000); do echo "line $i"; done
          echo all >said
          cat fifo
          exec cat fifo
YAML
mkfifo fifo
exits 0 hostler up
wait_until '[ -f said ]' 60
assert_in 'running' "$(entry talker '.workers[0].state')"
wait_until 'grep -q "logs/talker.log loses lines: No space left on device" state/host.log'

rm state/logs/ballast
wait_until 'grep -q "lines were dropped: No space left on device" state/logs/talker.log'
wait_until 'grep -q "logs/talker.log is written again" state/host.log'
echo after >fifo
wait_until 'grep -q "] after" state/logs/talker.log'
dropped=$(sed -n 's/.* \([0-9]*\) lines were dropped.*/\1/p' state/logs/talker.log | awk "{ sum += \$1 } END { print sum }")
assert_eq "$(($(grep -cE '\] line [0-9]+$' state/logs/talker.log) + dropped))" 20000 'lines written and dropped'
exits 0 hostler down
assert_nobody_left
