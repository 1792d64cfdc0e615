# limits: what an entry says is what its workers have; what this machine cannot enforce is refused before anything changes.
source "$(dirname "$0")/../lib.sh"

drop confined.so tick.so
workers <<YAML
workers:
  - plugin: confined.so
    limits: {open_files: 123, core: 0}
    params: {do: tell, file: $dir/told}
YAML
exits 0 hostler up
wait_until '[ -s told ]'
assert_in 'open_files 123' "$(cat told)"
assert_in 'core 0' "$(cat told)"
first=$(pids confined)

# A changed limit is for a new worker; an unchanged one is nobody's affair.
exits 0 hostler reload
assert_eq "$(pids confined)" "$first" 'pid after a reload without a change'
sed -i 's/123/124/' workers.yaml
rm told
exits 0 hostler check
assert_in 'limits changed' "$said"
exits 0 hostler reload
wait_until '[ -s told ]'
assert_in 'open_files 124' "$(cat told)"

# Whether there are such cgroups here or not: never taken and ignored.
second=$(pids confined)
sed 's/core: 0/core: 0, cpu: 0.5/' workers.yaml >other.yaml
if hostler check -c other.yaml >said 2>&1; then
  echo 'processor time can be held here'
else
  assert_in 'limits.cpu: this machine cannot enforce "0.5": processor time is held by a cgroup only, and ' "$(cat said)"
  cp other.yaml workers.yaml
  exits 4 hostler reload
  assert_in 'this machine cannot enforce "0.5"' "$said"
  assert_eq "$(pids confined)" "$second" 'pid after a refused reload'
fi
exits 0 hostler down
assert_nobody_left
