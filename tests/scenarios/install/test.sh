# What `cmake --install` puts down is all that it takes.
source "$(dirname "$0")/../lib.sh"
skip_if_sanitized 'about what is installed, not about the code'

exits 0 cmake --install "$BUILD_DIR" --prefix "$dir/prefix"
HOSTLER=$dir/prefix/bin/hostler
PLUGINS=$(dirname "$(find prefix -name wordcount.so)")
[ -f "$PLUGINS/exec.so" ] || die "no exec.so beside wordcount.so in $(find prefix -name '*.so')"

mkdir data
printf 'one two two\n' >data/1.txt
printf 'host: {plugins: "%s"}\nworkers:\n  - {plugin: wordcount.so, input: {lines: "data/*.txt"}}\n' "$PLUGINS" >workers.yaml
exits 0 hostler run
assert_in two "$said"

# A plugin built against what was installed.
flags=$(PKG_CONFIG_PATH=$(dirname "$(find prefix -name hostler-plugin.pc)") pkg-config --cflags hostler-plugin)
# shellcheck disable=SC2086
cc -shared -fPIC $flags -o plugins/first.so "$SOURCE_DIR/plugins/template/template.c"
printf 'workers:\n  - {plugin: first.so, input: {range: {begin: 0, end: 1000}}}\n' >workers.yaml
rm -rf state
exits 0 hostler run
assert_nobody_left
