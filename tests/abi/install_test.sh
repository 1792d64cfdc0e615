#!/bin/sh
# Installs the plugin-api component into a folder of its own, moves that folder, and builds from it the snippets of
# plugin-api/README.md and plugins/template, with find_package and with pkg-config, in C11 and in C++20.
# usage: install_test.sh CMAKE BUILD SOURCE CC CXX
set -eu
cmake=$1 build=$2 source=$3
export CC="$4" CXX="$5"
unset CFLAGS CXXFLAGS LDFLAGS

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# snippet LANGUAGE: the first such block of the README.
snippet() { awk -v open="\`\`\`$1" '$0 == open {on = 1; next} on && /^```/ {exit} on' "$source/plugin-api/README.md"; }

# check FILE: it exports what a plugin must.
check() {
  for symbol in hostler_plugin run; do
    nm -D --defined-only "$1" | grep -q " [TDR] $symbol\$" || { echo "$1 does not export $symbol"; exit 1; }
  done
}

# configure_and_build SOURCE BUILD
configure_and_build() {
  "$cmake" -S "$1" -B "$2" -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Release >"$2.log" 2>&1 &&
    "$cmake" --build "$2" >>"$2.log" 2>&1 || { cat "$2.log"; exit 1; }
}

"$cmake" --install "$build" --component plugin-api --prefix "$work/installed" >/dev/null
mv installed moved

mkdir project
snippet c >project/primes.c
snippet cpp >project/longest.cpp
{
  echo 'cmake_minimum_required(VERSION 3.16)'
  echo 'project(outside LANGUAGES C CXX)'
  snippet cmake
  echo 'set_target_properties(primes PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)'
  echo 'add_library(longest MODULE longest.cpp)'
  echo 'target_link_libraries(longest PRIVATE hostler::plugin)'
  echo 'set_target_properties(longest PROPERTIES PREFIX "" CXX_STANDARD 20 CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden)'
} >project/CMakeLists.txt
configure_and_build project project-build
check project-build/primes.so
check project-build/longest.so

cp -r "$source/plugins/template" template
configure_and_build template template-build
check template-build/template.so

export PKG_CONFIG_PATH="$work/moved/share/pkgconfig"
warnings='-pedantic -Wall -Wextra -Werror -fvisibility=hidden'
# shellcheck disable=SC2046,SC2086 # words are meant to split
"$CC" -std=c11 $warnings -O2 -fPIC -shared $(pkg-config --cflags hostler-plugin) project/primes.c -o primes.so
# shellcheck disable=SC2046,SC2086
"$CXX" -std=c++20 $warnings -O2 -fPIC -shared $(pkg-config --cflags hostler-plugin) project/longest.cpp -o longest.so
check primes.so
check longest.so
