#!/bin/sh
# Runs test programs and test scripts, adds up what they report, fails when anything failed.
#   tests/run.sh BUILD_DIR TEST...
# A script gets MOTE_BUILD (and DATA when the caller set it). A last line "N passed, N failed" counts as that
# many tests; a test without one counts as one, by its exit code. What a failed test printed is shown.
set -u
build=$1
shift
passed=0 failed=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
for t in "$@"; do
	[ -f "$t" ] || continue
	case $t in
	*.sh) MOTE_BUILD=$build sh "$t" >"$log" 2>&1 ;;
	*) MOTE_BUILD=$build "$t" >"$log" 2>&1 ;;
	esac
	status=$?
	counts=$(sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
	good=${counts% *} bad=${counts#* }
	if [ -z "$counts" ]; then
		# cmocka prints "[  PASSED  ] N test(s)." and "[  FAILED  ] N test(s)"
		good=$(sed -n 's/^\[  PASSED  \] \([0-9][0-9]*\) test.*/\1/p' "$log" | tail -n 1)
		bad=$(sed -n 's/^\[  FAILED  \] .*: \([0-9][0-9]*\) test.*/\1/p;s/^\[  FAILED  \] \([0-9][0-9]*\) test.*/\1/p' "$log" | tail -n 1)
		[ -n "$good$bad" ] || good=1
		good=${good:-0} bad=${bad:-0}
	fi
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
		[ "$good" -ne 1 ] || good=0
	fi
	if [ "$bad" -ne 0 ]; then
		cat "$log"
		echo "FAIL  $t ($good passed, $bad failed, exit code $status)"
	else
		echo "ok    $t ($good)"
	fi
	passed=$((passed + good)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
