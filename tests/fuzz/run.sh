#!/bin/sh
# Runs every fuzzer, or those named, each over its corpus and what it found before; fails when one finds something.
#   tests/fuzz/run.sh BUILD_DIR SECONDS [NAME...]
# Seconds are of processor time, whatever else the machine does: libFuzzer counts those of a clock, so it is called again
# for what is missing.
set -u
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(ls tests/fuzz/fuzz_*.c | sed "s/.*fuzz_\(.*\)\.c/\1/")
passed=0 failed=0

# Sets used to the processor time of all that was waited for, in seconds. (In a subshell, times would not know.)
count() {
	times >"$build/fuzz.times"
	used=$(awk 'NR == 2 { for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); s += 60 * t[1] + t[2] } printf "%d", s }' \
		"$build/fuzz.times")
}

# fuzz NAME: one fuzzer for so long
fuzz() {
	work=$build/corpus/$1
	mkdir -p "$work"
	: >"$build/fuzz-$1.log"
	count
	began=$used left=$seconds
	while [ "$left" -gt 0 ]; do
		"$build/fuzz_$1" -max_total_time="$left" -rss_limit_mb=2048 -timeout=60 -artifact_prefix="$build/crash-$1-" \
			"$work" "tests/fuzz/corpus/$1" >>"$build/fuzz-$1.log" 2>&1 || return 1
		count
		left=$((began + seconds - used))
	done
}

for name in "$@"; do
	if fuzz "$name"; then
		passed=$((passed + 1))
		inputs=$(awk '/^Done [0-9]* runs/ { n += $2 } END { print n }' "$build/fuzz-$name.log")
		echo "ok    $name: $inputs inputs in $((used - began)) s"
	else
		failed=$((failed + 1))
		tail -n 40 "$build/fuzz-$name.log"
		echo "FAIL  $name"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
