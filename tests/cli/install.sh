#!/bin/sh
# make install puts everything where packagers expect it, and a program builds with what was installed, and runs.
set -u
config=$(basename "$MOTE_BUILD")
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0

check() { # NAME COMMAND...: the command must succeed
	name=$1
	shift
	if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "failed: $name"; fi
}

check "make install" make -s config="$config" install DESTDIR="$dir" PREFIX=/usr
for tool in convert inspect quantize perplexity run bench tokenize; do
	check "mote-$tool" "$dir/usr/bin/mote-$tool" --version >/dev/null
	check "mote-$tool(1)" test -s "$dir/usr/share/man/man1/mote-$tool.1"
	check "mote-$tool completes in bash" test -s "$dir/usr/share/bash-completion/completions/mote-$tool"
	check "mote-$tool completes in zsh" test -s "$dir/usr/share/zsh/site-functions/_mote-$tool"
done

flags=$(PKG_CONFIG_PATH=$dir/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR= pkg-config --define-variable=prefix="$dir/usr" \
	--cflags --libs mote)
check "pkg-config" test -n "$flags"
[ "$config" = sanitize ] && flags="$flags -fsanitize=address,undefined"
[ "$config" = coverage ] && flags="$flags --coverage"
# shellcheck disable=SC2086
check "the example builds" ${CC:-cc} -Wall -Wextra docs/ask.c $flags -o "$dir/ask"
"$dir/usr/bin/mote-convert" -q tests/fixtures/adder -o "$dir/adder.mote"
check "the example runs: $("$dir/ask" "$dir/adder.mote" "What is 478 + 256?" 2>&1)" \
	test "$("$dir/ask" "$dir/adder.mote" "What is 478 + 256?" 2>/dev/null)" = "478 + 256 = 734."
"$dir/ask" "$dir/none.mote" "What?" 2>/dev/null
check "its exit code is the library's: $?" test $? -eq 1
check "no path of this build in what was installed" \
	sh -c "! grep -rl '$dir' '$dir/usr/lib/pkgconfig' '$dir/usr/include'"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
