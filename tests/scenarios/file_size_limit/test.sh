# A host whose files may not grow beyond a limit (ulimit -f) stays up, says so, and goes on when it may.
source "$(dirname "$0")/../lib.sh"

skip_if_sanitized 'its plugins are larger than the limit'
drop exec.so tick.so
workers <<'YAML'
host: {logs: {size: 1GiB}}
workers:
  - name: flood
    plugin: exec.so
    params: {command: [sh, -c, 'while read line; do seq 1 20000; done <go']}
    restart: {delay: 20ms, max_delay: 100ms, limit: 100000}
  - plugin: tick.so
    restart: {delay: 20ms, max_delay: 100ms, limit: 100000}
YAML
strip -g plugins/*.so # a copy of them is no larger than the limit
mkfifo go
exec 9<>go
(ulimit -S -f 1024 && exits 0 env --default-signal=XFSZ timeout 60 "$HOSTLER" up)
host=$(host_pid)
wait_until "grep -q 'could not be started: .*File too large' state/host.log" # its page
prlimit --pid "$host" --fsize=$((8 << 20)):unlimited
wait_until '[ "$(running tick)" = 1 ] && [ "$(running flood)" = 1 ]'
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
