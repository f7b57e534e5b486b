#!/bin/sh
# Every source through the compiler for other systems, without linking: musl's headers and AArch64, and for both again,
# without what only Linux has, the sources in which that makes a difference. The libraries' headers are this system's.
#   tests/portability.sh SOURCE...
set -u
passed=0 failed=0
headers=$(mktemp -d) || exit 1
trap 'rm -rf "$headers"' EXIT
# The libraries' headers alone: beside them in /usr/include lies another C library.
for name in zstd.h zstd_errors.h zdict.h cjson utf8proc.h xxhash.h xxh3.h pcre2.h editline histedit.h microhttpd.h; do
	[ ! -e /usr/include/$name ] || ln -s /usr/include/$name "$headers/$name"
done
# and the kernel's, which musl takes from its system
for name in linux asm-generic asm; do
	for folder in /usr/include /usr/include/"$(uname -m)"-linux-gnu; do
		[ ! -d "$folder/$name" ] || ln -sfn "$folder/$name" "$headers/$name"
	done
done

# try TITLE COMPILER...: all of $sources
try() {
	title=$1
	shift
	compiler=$*
	command -v "$1" >/dev/null || { echo "skipped, no $1: $title"; return; }
	# shellcheck disable=SC2086
	if printf '%s\n' $sources | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 12 $compiler -std=c11 -D_GNU_SOURCE \
		-ffp-contract=off -I. -isystem "$headers" -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only; then
		passed=$((passed + 1))
	else
		echo "failed: $title"
		failed=$((failed + 1))
	fi
}

sources=$*
try "musl" musl-gcc
try "AArch64" aarch64-linux-gnu-gcc
sources=$(grep -l 'include "format/portable.h"' "$@")
try "musl, POSIX alone" musl-gcc -DMOTE_POSIX
try "AArch64, POSIX alone" aarch64-linux-gnu-gcc -DMOTE_POSIX
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
