# A plugin that cannot be used is refused with words, by check and by a running host, whose workers notice nothing.
source "$(dirname "$0")/../lib.sh"

drop tick.so
workers <<'YAML'
workers:
  - plugin: tick.so
    count: 2
YAML
exits 0 hostler up
wait_until '[ "$(running tick)" = 2 ]'
host=$(host_pid)
before=$(pids tick)

# refused WORDS: other.so beside the one that runs.
refused() {
  printf 'workers:\n  - {plugin: tick.so, count: 2}\n  - plugin: other.so\n' | workers
  exits 4 hostler check
  assert_in "$1" "$said"
  assert_in 'other.so' "$said"
  exits 4 hostler reload
  assert_in "$1" "$said"
  assert_eq "$(host_pid)" "$host" 'pid of the host'
  assert_eq "$(pids tick)" "$before" 'pids of the workers'
}
use() { cp "$TEST_PLUGINS/$1.so" plugins/other.so; }

while read -r plugin words; do
  use "$plugin"
  refused "$words"
done <<'PLUGINS'
crash_in_constructor crashed (SIGSEGV, address not mapped
exit_in_constructor exited with 3 while being loaded
write_in_constructor disturbs its own inspection
no_plugin exports no hostler_plugin
no_run exports no run()
undefined_symbol nowhere_to_be_found
has_library libelsewhere.so
wrong_abi plugin speaks ABI 7.42, this host
PLUGINS

echo '#!/bin/sh' >plugins/other.so
refused 'is not a shared object'
head -c 5000 "$TEST_PLUGINS/nothing.so" >plugins/other.so
refused 'is cut short'
use nothing
printf '\026' | dd of=plugins/other.so bs=1 seek=18 conv=notrunc status=none # e_machine: S/390
refused 'is built for another machine'
rm plugins/other.so
refused 'there is no plugin "other.so"'

use fork_in_constructor # what it forks is ended; the rest of it is fine
exits 0 hostler check
exits 0 hostler down
assert_nobody_left
