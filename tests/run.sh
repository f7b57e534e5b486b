#!/bin/sh
# Runs test programs and test scripts, adds up what they report, fails when anything failed.
#   tests/run.sh BUILD_DIR TEST...
# As many at once as there are processors, or JOBS. A script gets MOTE_BUILD (and DATA when the caller set it). A last
# line "N passed, N failed" counts as that many tests; a test without one counts as one, by its exit code. What a
# failed test printed is shown.
set -u

# one TEST: runs it, prints how it ended, adds "GOOD BAD" to the counts
one() {
	log=$RESULTS/$$.log
	case $1 in
	*.sh) MOTE_BUILD=$BUILD sh "$1" >"$log" 2>&1 ;;
	*) MOTE_BUILD=$BUILD "$1" >"$log" 2>&1 ;;
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
		echo "FAIL  $1 ($good passed, $bad failed, exit code $status)" >>"$log"
		cat "$log"
	else
		echo "ok    $1 ($good)"
	fi
	echo "$good $bad" >"$RESULTS/$$.count"
	rm -f "$log"
}

if [ "$1" = --one ]; then
	one "$2"
	exit 0
fi
BUILD=$1
shift
RESULTS=$(mktemp -d) || exit 1
trap 'rm -rf "$RESULTS"' EXIT
export BUILD RESULTS
for t in "$@"; do
	[ ! -f "$t" ] || printf '%s\n' "$t"
done >"$RESULTS/list"
tests=$(wc -l <"$RESULTS/list")
xargs -P "${JOBS:-$(getconf _NPROCESSORS_ONLN)}" -n 1 sh "$0" --one <"$RESULTS/list"
cat "$RESULTS"/*.count >"$RESULTS/all" 2>/dev/null
awk -v tests="$tests" '{ good += $1; bad += $2; n++ }
	END { bad += tests - n; printf "%d passed, %d failed\n", good, bad; exit bad > 0 || good == 0 }' "$RESULTS/all"
