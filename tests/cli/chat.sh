#!/bin/sh
# mote-run as a chat, in a pseudo-terminal (script(1) is in every Debian): its commands, a full context, its ends.
set -u
build=${MOTE_BUILD:-build/release}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

"$build/mote-convert" -q tests/fixtures/adder -o "$work/m.mote" || exit 1

# expect CODE OPTIONS: what was typed is on standard input, what the terminal shows goes to $work/out
expect() {
	script -qec "$build/mote-run $work/m.mote --temp 0 $2" /dev/null >"$work/out"
	got=$?
	if [ "$got" -eq "$1" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "exit code $got, expected $1"; cat "$work/out"; fi
}
# shown TEXT TIMES
shown() {
	if [ "$(grep -cF "$1" "$work/out")" -eq "$2" ]; then passed=$((passed + 1)); else
		failed=$((failed + 1)); echo "\"$1\" was not shown $2 times:"; cat "$work/out"
	fi
}

printf 'What is 27 + 48?\n\nWhat is 27 + 48?\n/exit \nWhat is 27 + 48?\n' | expect 0 ''
shown '27 + 48 = 75.' 2
# The second question does not fit behind the first and its answer, and is as good as not asked; /clear forgets both.
printf 'What is 27 + 48?\nWhat is 1 + 2?\nWhat is 3 + 4?\n/clear\nWhat is 27 + 48?\n/bye\n' | expect 0 '-c 55 -n 5'
shown 'do not fit into the context of 55' 2
shown 'Add 2' 2
# No escape sequence where the user wants none, and the reasoning is under its heading instead.
for variable in NO_COLOR=1 TERM=dumb; do
	printf 'What is 27 + 48?\n/exit\n' | env "$variable" script -qec "$build/mote-run $work/m.mote --temp 0" /dev/null >"$work/out"
	shown '[reasoning]' 1
	shown "$(printf '\033')" 0
done
{ sleep 1; printf '\003'; } | expect 130 ''
shown 'interrupted' 1

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
