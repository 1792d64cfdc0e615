# Where no process can be made, it is that which is told, not a fault of the plugin or of the configuration.
source "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || skip 'only root can become a user who has no processes yet'
skip_if_sanitized 'a sanitizer has a thread of its own'
drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
YAML
chmod 755 "$dir"
mkdir state && chown games: . state plugins
exits 1 setpriv --reuid=games --regid=games --clear-groups bash -c 'ulimit -u 2; exec "$0" check' "$HOSTLER"
assert_in 'no process could be made' "$said"
