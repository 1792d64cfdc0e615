# Sourced by the other scripts: goes to the top of the tree, and knows how to build.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# build PRESET [TARGET...]: silent about configuring unless it fails.
build() {
  local preset=$1 log
  shift
  log=$(mktemp)
  cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2 && rm -f "$log" && return 1; }
  rm -f "$log"
  cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
}

say() { printf '\n== %s\n' "$*"; }
