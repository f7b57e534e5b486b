# What test scripts share that end with the first thing that is wrong: they begin with ". tests/strict.sh".
# $B: the build's folder. $F: the fixture's checkpoint. $D: a folder that is gone at the end; $D/out and $D/err have the
# streams of expect's command.
# shellcheck shell=sh disable=SC2034
set -eu
B=${MOTE_BUILD:-build/release}
F=tests/fixtures/adder
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT

fail() { echo "FAIL: $*"; exit 1; }
# expect CODE WORDS COMMAND...: it ends with that code, and says those words on standard error
expect() {
	code=$1 words=$2 got=0
	shift 2
	"$@" >"$D/out" 2>"$D/err" || got=$?
	[ "$got" = "$code" ] || fail "$* exited with $got, expected $code: $(cat "$D/err")"
	grep -q -- "$words" "$D/err" || fail "$*: no \"$words\" in: $(cat "$D/err")"
}
