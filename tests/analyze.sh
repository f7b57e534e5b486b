#!/bin/sh
# Static checkers over library and tools: clang-tidy (.clang-tidy), cppcheck, and gcc's analyzer but for the kernels
# (straight arithmetic on shapes that were checked). Fails at what tests/analyze.txt does not explain, and at a source
# that one cannot read.
#   [CHECKERS="clang-tidy cppcheck gcc"] tests/analyze.sh [FILE.c ...]
set -u
found=$(mktemp) || exit 1
trap 'rm -f "$found"' EXIT
[ $# -gt 0 ] || set -- $(find format runtime convert quant -name '*.c' | grep -v '/kernels/')
flags=$(pkg-config --cflags libcjson libzstd libxxhash libpcre2-8 libmicrohttpd libedit 2>/dev/null)
if mpi=$(pkg-config --cflags mpi-c 2>/dev/null); then
	flags="$flags $mpi"
else
	echo "quant/team/team_mpi.c is left out: no MPI (make deps-mpi)"
	set -- $(printf '%s\n' "$@" | grep -v '^quant/team/team_mpi\.c$')
fi

checkers=" ${CHECKERS:-clang-tidy cppcheck gcc} "
for program in $checkers; do
	command -v "$program" >/dev/null || { echo "no $program: make deps-test" >&2; exit 1; }
done
asked() { case $checkers in *" $1 "*) ;; *) return 1 ;; esac; }

! asked clang-tidy || printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -n 8 sh -c '
	clang-tidy --quiet "$@" -- -std=c11 -D_GNU_SOURCE -DNDEBUG -I. '"$flags"' -Wno-everything 2>/dev/null |
		sed -n "s|^$PWD/||;s/^\([^:]*\):\([0-9]*\):[0-9]*: warning: \(.*\) \[\([a-z0-9.-]*\)[],].*$/clang-tidy \1 \4 line \2: \3/p
			s/^\([^:]*\):\([0-9]*\):[0-9]*: error: \(.*\)$/clang-tidy \1 unread line \2: \3/p"' \
	sh >>"$found"
! asked cppcheck || cppcheck --quiet --std=c11 --enable=warning,portability -D__linux__ -D__x86_64__ -I. \
	-j "${JOBS:-2}" \
	--suppress=missingIncludeSystem --template='cppcheck {file} {id} line {line}: {message}' "$@" 2>&1 |
	grep '^cppcheck ' >>"$found"
! asked gcc || printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -n 8 sh -c '
	for file in "$@"; do
		gcc -std=c11 -D_GNU_SOURCE -I. '"$flags"' -O2 -DNDEBUG -fanalyzer -c "$file" -o /dev/null 2>&1 |
			sed -n "s/^\([^:]*\):\([0-9]*\):[0-9]*: warning: \(.*\) \[-W\([a-z-]*\)\]$/gcc \1 \4 line \2: \3/p
				s/^\([^:]*\):\([0-9]*\):[0-9]*: .*error: \(.*\)$/gcc \1 unread line \2: \3/p"
	done' sh >>"$found"
awk 'NR == FNR { if ($0 !~ /^#/) known[$1 " " $2 " " $3] = 1; next }
	($1 " " $2 " " $3) in known || ($1 " * " $3) in known { explained++; next }
	{ print; bad++ }
	END { printf "%d findings that tests/analyze.txt explains\n%d passed, %d failed\n", explained, !bad, bad; exit bad > 0 }' \
	tests/analyze.txt "$found"
