# What scenarios share. Sourced first; leaves the shell in a fresh folder of its own with an empty plugins folder.
#
# From ctest: HOSTLER (the binary), PLUGINS and TEST_PLUGINS (folders of .so files), SOURCE_DIR, BUILD_DIR.
# By hand:    HOSTLER=build/dev/hostler PLUGINS=build/dev/plugins TEST_PLUGINS=build/dev/test-plugins \
#             SOURCE_DIR=. BUILD_DIR=build/dev bash tests/scenarios/stop/test.sh
set -eEuo pipefail

for variable in HOSTLER PLUGINS TEST_PLUGINS SOURCE_DIR BUILD_DIR; do
  declare "$variable=$(realpath -m "${!variable:?set by ctest}")"
done
export LC_ALL=C
here=$(dirname "$(realpath "$0")")
dir=$(mktemp -d "${TMPDIR:-/tmp}/hostler-scenario.XXXXXX")
export HOSTLER_SCENARIO=$dir # stands in the environment of all that this scenario starts
mkdir "$dir/plugins" "$dir/tmp"
export TMPDIR=$dir/tmp
cd "$dir"

finish() {
  local status=$? pid
  trap - EXIT
  if [ $status -ne 0 ] && [ $status -ne 77 ]; then
    echo "scenario $(basename "$here") failed, line ${failed_line:-?}" >&2
    tail -n 40 "$dir"/state/host.log "$dir"/state/logs/*.log >&2 2>/dev/null || true
  fi
  for pid in $(survivors); do kill -KILL "$pid" 2>/dev/null || true; done
  if declare -F cleanup >/dev/null; then cleanup; fi # what a scenario has to undo itself
  cd / && rm -rf "$dir"
  exit $status
}
trap finish EXIT
trap 'failed_line=${failed_line:-$LINENO}' ERR
trap 'exit 143' TERM INT

die() {
  failed_line=${BASH_LINENO[${#BASH_LINENO[@]} - 2]}
  echo "$*" >&2
  exit 1
}

# What this scenario needs is not to be had here: ctest counts it as skipped.
skip() {
  echo "skipped: $*" >&2
  exit 77
}
is_sanitized() { [[ "$(nm -D "$HOSTLER")" =~ __(asan|tsan)_init ]]; }
skip_if_sanitized() { if is_sanitized; then skip "$1"; fi; }
# rounds N: as many, or an eighth of them under a sanitizer, whose rounds are that much longer.
rounds() { if is_sanitized; then echo $(($1 / 8)); else echo "$1"; fi; }

# blocks LANGUAGE [N] <PAGE: the code that a page shows in that language, or the Nth block of it alone.
blocks() {
  awk -v fence="\`\`\`$1" -v n="${2:-0}" '$0 == fence {on = ++seen == n || n == 0; next} /^```$/ {on = 0} on'
}

# Bounded, so that a command that hangs is a failure with words.
hostler() { timeout --foreground -k 5 100 "$HOSTLER" "$@"; }

# drop PLUGIN...: copies plugins that were built into the plugins folder, as a user would.
drop() {
  local plugin
  for plugin in "$@"; do
    if [ -f "$PLUGINS/$plugin" ]; then cp "$PLUGINS/$plugin" plugins/; else cp "$TEST_PLUGINS/$plugin" plugins/; fi
  done
}

# Standard input becomes workers.yaml.
workers() { cat >workers.yaml; }

# exits CODE COMMAND...: runs it, keeps what it said (both streams) in $said, and insists on the exit code.
said=
exits() {
  local expected=$1 status=0
  shift
  said=$("$@" 2>&1) || status=$?
  [ $status -eq "$expected" ] || die "expected exit code $expected, got $status from: $* -- $said"
}

assert_eq() { # ACTUAL EXPECTED [WHAT]
  [ "$1" = "$2" ] || die "${3:-value}: expected '$2', got '$1'"
}

assert_in() { # PART WHOLE
  case $2 in *"$1"*) ;; *) die "expected to find '$1' in: $2" ;; esac
}

# wait_until 'CONDITION' [SECONDS]: looks at the thing itself, again and again, and gives up after a good while.
wait_until() {
  local deadline=$((SECONDS + ${2:-30}))
  until eval "$1"; do
    [ $SECONDS -lt $deadline ] || die "gave up waiting until: $1"
    sleep 0.02
  done
}

# pass MILLISECONDS: for who wants to disturb at a random moment; never to wait for something.
pass() { sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"; }

# status FILTER: what runs, through jq.
status() { hostler status --json | jq -r "$1"; }
# entry NAME FILTER
entry() { status ".entries[] | select(.name == \"$1\") | $2"; }
# The pids of an entry's workers that run, in the order of their instances.
pids() { entry "$1" '.workers[] | select(.state == "running") | .pid' | xargs; }
running() { entry "$1" '[.workers[] | select(.state == "running")] | length'; }
host_pid() { status .pid; }

# Lives, and is no zombie.
alive() { [[ -r /proc/$1/stat ]] && [[ $(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) == [^ZX] ]]; }

# Pids of all that this scenario started and that still lives, but for this shell: by the mark in the environment, or an
# open file or working folder below ours.
survivors() {
  local pid
  for pid in $(
    {
      grep -lsz "^HOSTLER_SCENARIO=$dir\$" /proc/[0-9]*/environ || true
      find /proc/[0-9]*/cwd /proc/[0-9]*/fd -maxdepth 1 \( -lname "$dir" -o -lname "$dir/*" \) 2>/dev/null || true
    } | cut -d/ -f3 | sort -un
  ); do
    if [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] && alive "$pid"; then echo "$pid"; fi
  done
}

# Nothing outlives its host. What was told to die may need a moment.
assert_nobody_left() { wait_until '[ -z "$(survivors)" ]' 20; }

# plugins/primes.so is the one that plugin-api/README.md shows in several languages, and does what it should.
assert_primes_are_counted() {
  workers <<'YAML'
workers:
  - plugin: primes.so
    count: 2
    input: {range: {begin: 0, end: 200000}}
YAML
  exits 0 hostler run
  assert_in 'counters: primes 17984' "$said"
  assert_nobody_left
}
