# user: workers are somebody else from before their plugin is loaded; what they leave is committed by the host all the same.
source "$(dirname "$0")/../lib.sh"

drop confined.so wordcount.so crash.so exec.so
mkdir home
printf 'a b\nb\n' >data.txt
if [ "$(id -u)" != 0 ]; then
  workers <<'YAML'
workers:
  - plugin: confined.so
    user: root
YAML
  exits 4 hostler check
  assert_in 'only a host that is root' "$said"
  exit 0
fi

chmod 711 "$dir"
chown nobody home
workers <<YAML
workers:
  - plugin: confined.so
    user: nobody
    params: {do: tell, file: $dir/home/told}
  - plugin: crash.so
    user: nobody
    on_exit: [{signals: [SEGV], do: reap}]
  - plugin: wordcount.so
    user: nobody
    count: 2
    input: {lines: data.txt, slice: 4}
  - plugin: exec.so
    user: nobody
    input: {items: [a]}
    params: {command: [sh, -c, "id -un; echo \$HOME >/dev/stderr"], stdout: output}
YAML
exits 0 hostler check
exits 0 hostler up
wait_until '[ -s home/told ]'
nobody=$(id -u nobody)
assert_in "uid $nobody $nobody" "$(cat home/told)"
assert_in 'death 9' "$(cat home/told)"
assert_in "home $(getent passwd nobody | cut -d: -f6)" "$(cat home/told)"
wait_until '[ -e state/output/wordcount/_SUCCESS ] && [ -e state/output/exec/_SUCCESS ]'
assert_in b "$(hostler results wordcount)"
assert_in nobody "$(cat state/output/exec/parts/*/*)"
assert_in "$(getent passwd nobody | cut -d: -f6)" "$(cat state/logs/exec.log)"
# What is committed the user cannot take away.
assert_eq "$(stat -c %U state/output/wordcount)" "$(id -un)" owner
setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups rm -f state/output/wordcount/_SUCCESS 2>/dev/null && die 'removed'
# Nor may it stop the host, though it can read whose the state folder is; it is told so, and does not wait.
chmod 644 state/hostler.pid
install -m 755 "$HOSTLER" hostler
as_nobody() { timeout 60 setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups ./hostler "$@"; }
exits 1 as_nobody down --state "$dir/state"
assert_in 'Permission denied' "$said"
# A crash is told like any other.
wait_until 'ls state/crashes/crash/*.txt'
assert_in SIGSEGV "$(entry crash '.workers[0].last_exit')"

# kill -9 of the host takes them along.
worker=$(pids confined)
kill -KILL "$(host_pid)"
wait_until '! alive '"$worker"
assert_nobody_left

sed -i 's/user: nobody/user: nobdoy/' workers.yaml
exits 4 hostler check
assert_in 'workers[0].user: there is no user "nobdoy" on this machine' "$said"
