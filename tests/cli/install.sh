#!/bin/sh
# make install puts everything where packagers expect it, one header and no more; programs in C, C++ and Python build or
# load what was installed, and run; make uninstall leaves nothing.
. tests/script.sh
dir=$work
config=$(basename "$MOTE_BUILD")

check "make install" make -s config="$config" install DESTDIR="$dir" PREFIX=/usr
for tool in "$MOTE_BUILD"/mote-*; do
	name=$(basename "$tool")
	[ -x "$tool" ] && [ -f "docs/$name.1" ] || continue
	check "$name" "$dir/usr/bin/$name" --version >/dev/null
	check "$name(1)" test -s "$dir/usr/share/man/man1/$name.1"
	check "$name completes in bash" test -s "$dir/usr/share/bash-completion/completions/$name"
	check "$name completes in zsh" test -s "$dir/usr/share/zsh/site-functions/_$name"
done
check "one header" test "$(find "$dir/usr/include" -type f)" = "$dir/usr/include/mote.h"
for document in docs/*.md docs/ask.c LICENSE; do
	check "$document" cmp -s "$document" "$dir/usr/share/doc/mote/$(basename "$document")"
done
version=$(sed -n 's/.*MOTE_VERSION "\(.*\)"/\1/p' "$dir/usr/include/mote.h")
check "its version is the tools'" test "$("$dir/usr/bin/mote-run" --version)" = "mote-run $version"

# what the shared library shows is what the header declares
library=$dir/usr/lib/libmote.so
sed -n 's/^MOTE_API .*\(mote_[a-z0-9_]*\)(.*/\1/p' "$dir/usr/include/mote.h" | sort >"$dir/declared"
nm -D --defined-only "$library" | awk '{ print $3 }' | grep -v '^__\|^_init$\|^_fini$' | sort >"$dir/shown"
case $config in
release | debug)
	check "exported is what is declared: $(diff "$dir/declared" "$dir/shown")" cmp -s "$dir/declared" \
		"$dir/shown" ;;
esac
check "SONAME" sh -c "objdump -p '$library' | grep -q 'SONAME *libmote.so.${version%%.*}\$'"
check "no run path, no text relocation" sh -c "! objdump -p '$library' | grep -qE 'RPATH|RUNPATH|TEXTREL'"

flags=$(PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR= pkg-config --define-variable=prefix="$dir/usr" \
	--cflags --libs mote)
check "pkg-config" test -n "$flags"
[ "$config" = sanitize ] && flags="$flags -fsanitize=address,undefined"
[ "$config" = coverage ] && flags="$flags --coverage"
LD_LIBRARY_PATH=$dir/usr/lib
export LD_LIBRARY_PATH
"$dir/usr/bin/mote-convert" -q tests/fixtures/adder -o "$dir/adder.mote"

# shellcheck disable=SC2086
check "the example builds" ${CC:-cc} -Wall -Wextra -Werror docs/ask.c $flags -o "$dir/ask"
check "the example runs: $("$dir/ask" "$dir/adder.mote" "What is 478 + 256?" 2>&1)" \
	test "$("$dir/ask" "$dir/adder.mote" "What is 478 + 256?" 2>/dev/null)" = "478 + 256 = 734."
"$dir/ask" "$dir/none.mote" "What?" 2>/dev/null
check "its exit code is the library's: $?" test $? -eq 1
# shellcheck disable=SC2086
check "a C++ program builds" ${CXX:-g++} -std=c++17 -Wall -Wextra -Werror -pthread tests/embed/plus.cc $flags \
	-o "$dir/plus"
check "and runs" "$dir/plus" "$dir/adder.mote"
# shellcheck disable=SC2086
check "six threads build" ${CC:-cc} -Wall -Wextra -Werror -pthread tests/embed/six_threads.c $flags -o "$dir/six"
check "and run" "$dir/six" "$dir/adder.mote"
# shellcheck disable=SC2086
check "a long prompt, interrupted, builds" ${CC:-cc} -Wall -Wextra -Werror -pthread tests/embed/interrupt.c $flags \
	-o "$dir/interrupt"
check "and runs" "$dir/interrupt" "$dir/adder.mote"
# an interpreter has no sanitizer's runtime loaded
printf 'LC_NUMERIC\ndecimal_point "#"\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n' >"$dir/numbers"
localedef -c -i "$dir/numbers" "$dir/locale" >"$dir/stderr" 2>&1 # it warns of all that is not defined
[ "$config" = sanitize ] ||
	check "a Python program" env LOCPATH="$dir" python3 tests/embed/foreign.py "$library" "$dir/adder.mote" locale
# the static library alone
static=$(PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig:${PKG_CONFIG_PATH-} pkg-config --define-variable=prefix="$dir/usr" \
	--static --libs mote | sed "s|-lmote|$dir/usr/lib/libmote.a|g")
# shellcheck disable=SC2086
check "the example builds on the static library" ${CC:-cc} -I"$dir/usr/include" docs/ask.c $static \
	${flags##*-lmote} -o "$dir/ask_static"
check "and runs" test "$(LD_LIBRARY_PATH= "$dir/ask_static" "$dir/adder.mote" "What is 478 + 256?")" = \
	"478 + 256 = 734."

check "no path of this build in what was installed" \
	sh -c "! grep -rl '$dir' '$dir/usr/lib/pkgconfig' '$dir/usr/include'"
check "make uninstall" make -s config="$config" uninstall DESTDIR="$dir" PREFIX=/usr
left=$(find "$dir/usr" ! -type d -o -name mote)
check "leaves nothing: $left" test -z "$left"

# without the server nothing speaks of it
check "make install, SERVER=0" make -s config="$config" SERVER=0 install DESTDIR="$dir/bare" PREFIX=/usr
left=$(find "$dir/bare" -name '*serve*' -o -name systemd)
check "no server: $left" test -z "$left"
check "make uninstall, SERVER=0" make -s config="$config" SERVER=0 uninstall DESTDIR="$dir/bare" PREFIX=/usr
left=$(find "$dir/bare" ! -type d)
check "leaves nothing without it: $left" test -z "$left"

# a folder with spaces is refused before anything is written or removed
mkdir "$dir/a"
for target in install uninstall; do
	check "make $target, spaces" sh -c "! make -s config='$config' $target DESTDIR='$dir/a b' 2>'$dir/stderr'"
	check "says so: $(cat "$dir/stderr")" grep -q 'expected no spaces' "$dir/stderr"
done
check "nothing was written" test ! -e b -a -z "$(ls "$dir/a")"

finish
