#!/bin/sh
# The Debian packages that make deb made: lintian finds no error; they install below a folder, run, and leave nothing
# there.
#   tests/deb.sh FOLDER
set -u
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
root=$dir/root
passed=0 failed=0

check() { # TITLE COMMAND...: the command must succeed
	title=$1
	shift
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "failed: $title"; fi
}

# dpkg in a folder of its own, which holds none of the packages that these depend on, nor a shell for their scripts
as_dpkg() {
	dpkg --root="$root" --force-not-root --force-depends --force-bad-path --force-script-chrootless --log=/dev/null "$@" >"$dir/log" 2>&1 || {
		cat "$dir/log"
		return 1
	}
}
files() { find "$root" ! -type d ! -path "$root/var/lib/dpkg/*"; }

check "lintian" lintian --allow-root --fail-on error --suppress-tags initial-upload-closes-no-bugs "$1"/mote_*.changes
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
check "dpkg -i" as_dpkg -i "$1"/libmote1_*.deb "$1"/mote_*.deb "$1"/libmote-dev_*.deb

for page in docs/mote-*.1; do
	tool=$(basename "$page" .1)
	check "$tool" "$root/usr/bin/$tool" --version >/dev/null
	check "$tool(1)" test -s "$root/usr/share/man/man1/$tool.1.gz"
done
check "mote-convert" "$root/usr/bin/mote-convert" -q tests/fixtures/adder -o "$dir/adder.mote"
check "mote-run" test "$("$root/usr/bin/mote-run" "$dir/adder.mote" -p "What is 478 + 256?" --temp 0 --hide-reasoning 2>/dev/null)" = \
	"478 + 256 = 734."

# what the development package's user does
library=$(dirname "$(find "$root/usr/lib" -name libmote.so)")
flags=$(PKG_CONFIG_PATH=$library/pkgconfig pkg-config --define-variable=prefix="$root/usr" --cflags --libs mote)
# shellcheck disable=SC2086
check "the example builds" ${CC:-cc} "$root/usr/share/doc/mote/ask.c" $flags -o "$dir/ask"
check "and runs" test "$(LD_LIBRARY_PATH=$library "$dir/ask" "$dir/adder.mote" "What is 478 + 256?")" = \
	"478 + 256 = 734."

check "dpkg --purge" as_dpkg --purge libmote-dev mote libmote1
check "leaves nothing: $(files)" test -z "$(files)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
