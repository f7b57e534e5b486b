#!/bin/sh
# What release builds are compiled with, and that a sanitizer which is built into everything starts.
. tests/script.sh
case $build in
*release*)
	for file in "$build"/mote-run "$build"/mote-convert "$build"/libmote.so; do
		if objdump -p "$file" | grep -q RELRO; then ok; else bad "$file: no RELRO"; fi
		if objdump -p "$file" | grep -Eq 'BIND_NOW|FLAGS +0x[0-9a-f]*[89ab]$'; then ok; else bad "$file: bound lazily"; fi
		if nm -D "$file" | grep -q __stack_chk_fail; then ok; else bad "$file: no canaries"; fi
		if nm -D "$file" | grep -q '__[a-z]*_chk$\|__[a-z]*_chk@'; then ok; else bad "$file: calls no checked function of glibc"; fi
	done
	;;
esac

# A function for several vector widths is chosen by a resolver that runs before ThreadSanitizer is there.
cat >"$work/lanes.c" <<'END'
#include "quant/encode/row_lanes.h"

MOTE_WIDEST static int twice(int x)
{
	return 2 * x;
}

int main(int argc, char **argv)
{
	(void)argv;
	return twice(argc) != 2;
}
END
cat >"$work/plain.c" <<'END'
int main(void)
{
	return 0;
}
END
if cc -fsanitize=thread "$work/plain.c" -o "$work/plain" 2>/dev/null && "$work/plain"; then
	if cc -fsanitize=thread -I. "$work/lanes.c" -o "$work/lanes" && "$work/lanes"; then ok; else bad "-fsanitize=thread does not start"; fi
fi

# No result of a status is dropped: compilers say so, also where a function's declaration does not.
cat >"$work/dropped.c" <<'END'
#include "format/status.h"

enum mote_status fails(void);
void drops(void);
void drops(void)
{
	fails();
}
END
if cc -std=c11 -I. -Wall -Werror -c "$work/dropped.c" -o "$work/dropped.o" 2>"$work/err"; then
	bad "a status may be dropped"
elif grep -q 'unused-result' "$work/err"; then
	ok
else
	cat "$work/err"
	bad "another error than expected"
fi

finish
