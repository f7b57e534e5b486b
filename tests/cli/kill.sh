#!/bin/sh
# kill -9 at any time: the output is the old file or the new one, whole, and nothing else is in its folder; but for a
# temporary name between two calls where a file is replaced, or where the system knows no files without a name, which
# the next run to the same path removes.
# KILLS: how often each tool is killed (make check: 6; 500 takes minutes).
. tests/script.sh
kills=${KILLS:-6}
killed=0 swept=0

"$build/mote-convert" tests/fixtures/adder -o "$work/m.mote" -q || exit 1
"$build/mote-quantize" "$work/m.mote" -o "$work/q.mote" --type q4 --encoder round -t 1 -q || exit 1
echo old >"$work/old"

# round DELAY NEW COMMAND...: over an old file, and where there is none
round() {
	delay=$1 new=$2
	shift 2
	for before in old none; do
		rm -rf "$work/out"
		mkdir "$work/out"
		[ $before = none ] || cp "$work/old" "$work/out/o.mote"
		"$@" -o "$work/out/o.mote" --force -q >/dev/null 2>&1 &
		child=$!
		sleep "$delay"
		kill -9 "$child" 2>/dev/null && killed=$((killed + 1))
		wait "$child" 2>/dev/null
		if cmp -s "$work/out/o.mote" "$new" || { [ $before = old ] && cmp -s "$work/out/o.mote" "$work/old"; } ||
			{ [ $before = none ] && [ ! -e "$work/out/o.mote" ]; }; then ok; else bad "after $delay s: neither old nor new"; fi
		left=$(ls -A "$work/out" | grep -v '^o\.mote$')
		case $left in
		.o.mote.mote-part.????????)
			swept=$((swept + 1))
			"$@" -o "$work/out/o.mote" --force -q || bad "after $delay s: the next run failed"
			left=$(ls -A "$work/out" | grep -v '^o\.mote$')
			;;
		esac
		if [ -z "$left" ]; then ok; else bad "after $delay s: left behind: $left"; fi
	done
}

i=0
while [ "$i" -lt "$kills" ]; do
	i=$((i + 1))
	delay=$(awk "BEGIN { print 0.09 * $i / $kills }")
	round "$delay" "$work/m.mote" "$build/mote-convert" tests/fixtures/adder
	round "$delay" "$work/q.mote" "$build/mote-quantize" "$work/m.mote" --type q4 --encoder round -t 1
done
echo "$killed of $((kills * 4)) were killed; $swept left a temporary name, which the next run removed"
finish
