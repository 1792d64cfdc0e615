# A host whose files may not grow beyond a limit (ulimit -f) stays up, says so, and goes on when it may.
source "$(dirname "$0")/../lib.sh"

drop exec.so tick.so
workers <<'YAML'
host: {logs: {size: 1GiB}}
workers:
  - name: flood
    plugin: exec.so
    params: {command: [sh, -c, 'while read line; do seq 1 20000; done <go']}
  - plugin: tick.so
YAML
mkfifo go
exec 9<>go
exits 0 env --default-signal=XFSZ timeout 60 "$HOSTLER" up
wait_until '[ "$(running tick)" = 1 ]'
host=$(host_pid)
prlimit --pid "$host" --fsize=1048576:unlimited
until grep -q 'flood.log loses lines' state/host.log; do
  alive "$host" || die 'the host is gone'
  echo >&9
  pass 20
done
assert_eq "$(host_pid)" "$host"
prlimit --pid "$host" --fsize=unlimited
echo >&9
wait_until 'grep -q "flood.log is written again" state/host.log'
exits 0 hostler down
assert_nobody_left
