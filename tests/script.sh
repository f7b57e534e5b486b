# What test scripts share that count their checks: they begin with ". tests/script.sh" and end with "finish".
# $build: the build's folder. $work: a folder that is gone at the end; $work/out and $work/err have a command's streams.
# shellcheck shell=sh
set -u
build=${MOTE_BUILD:-build/release}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

ok() { passed=$((passed + 1)); }
bad() { echo "$*"; failed=$((failed + 1)); }
# check TITLE COMMAND...: the command succeeds
check() {
	title=$1
	shift
	if "$@"; then ok; else bad "failed: $title"; fi
}
# none TITLE TEXT: there is no text, which would name what offends
none() { if [ -z "$2" ]; then ok; else bad "$1:"; echo "$2"; fi; }
# expect CODE COMMAND...: its input is $input, or nothing
expect() {
	want=$1
	shift
	"$@" <"${input:-/dev/null}" >"$work/out" 2>"$work/err"
	got=$?
	if [ "$got" -eq "$want" ]; then ok; else bad "exit code $got, expected $want: $*"; cat "$work/err"; fi
}
# has FILE PATTERN
has() { if grep -q -- "$2" "$1"; then ok; else bad "no \"$2\" in:"; head -c 2000 "$1"; fi; }
finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}
