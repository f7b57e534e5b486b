#!/bin/sh
# Runs every fuzzer for a while, each over a copy of its corpus; fails when one finds something.
#   tests/fuzz/run.sh BUILD_DIR SECONDS
set -u
build=$1 seconds=$2
passed=0 failed=0
for f in "$build"/fuzz_*; do
	case $f in *.d | *.o) continue ;; esac
	name=${f##*/fuzz_}
	work=$build/corpus/$name
	mkdir -p "$work"
	if "$f" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="$build/crash-$name-" \
		"$work" "tests/fuzz/corpus/$name" >"$build/fuzz-$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		failed=$((failed + 1))
		tail -n 40 "$build/fuzz-$name.log"
		echo "FAIL  $name"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
