#!/bin/sh
# Runs every test program in the build folder and every script in tests/cli, adds up, fails when one failed.
#   tests/run.sh BUILD_DIR
set -u
build=$1
passed=0 failed=0
for t in "$build"/test_*; do
	case $t in *.d|*.o) continue ;; esac
	[ -x "$t" ] || continue
	if output=$(MOTE_BUILD=$build "$t" 2>&1); then
		passed=$((passed + 1)); echo "ok    $(basename "$t")"
	else
		failed=$((failed + 1)); echo "$output"; echo "FAIL  $(basename "$t")"
	fi
done
for t in tests/cli/*.sh; do
	[ -f "$t" ] || continue
	if output=$(MOTE_BUILD=$build sh "$t" 2>&1); then
		passed=$((passed + 1)); echo "ok    $t"
	else
		failed=$((failed + 1)); echo "$output"; echo "FAIL  $t"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
