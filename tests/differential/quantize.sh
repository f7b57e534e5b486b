# The same bytes from mote-quantize and the same figures from mote-perplexity on every instruction set that this machine
# has and on any number of threads: second order with every type, and a mixture. The scalar runs take two minutes.
set -eu
B=$MOTE_BUILD
F=tests/fixtures/adder
D=$(mktemp -d)
trap 'rm -rf "$D"' EXIT
passed=0 failed=0
count() { # what, command...
	what=$1
	shift
	if "$@" >/dev/null 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL: $what"; fi
}

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
head -c 3000 $F/calibration.txt >"$D/calibration"
head -c 2000 $F/heldout.txt >"$D/heldout"
run() { # output, isa, threads, options...
	out=$1 isa=$2 threads=$3
	shift 3
	MOTE_ISA=$isa "$B/mote-quantize" "$D/f.mote" -o "$out" -f --calibrate "$D/calibration" --validate "$D/heldout" \
		-c 200 -t "$threads" "$@" 2>/dev/null
}

for what in types mixture; do
	set -- --bits 4.6
	[ $what = mixture ] || set -- --type q4 --tensor '*.0.*=q3' --tensor '*up*=q5' --tensor '*.k_proj*=q6' \
		--tensor '*.v_proj*=q4b' --tensor '*down*=q6b' --tensor 'model.embed*=q6'
	run "$D/first" avx2 2 "$@" || run "$D/first" scalar 2 "$@"
	for on in 'avx2 1' 'avx2 5' 'avx512 1' 'avx512 2' 'avx512 5' 'neon 2' 'scalar 2'; do
		isa=${on% *}
		run "$D/other" "$isa" "${on#* }" "$@" || continue # not on this machine
		count "$what on $on: other bytes" cmp "$D/first" "$D/other"
		count "$what on $on: the receipt does not hold" env MOTE_ISA="$isa" "$B/mote-perplexity" "$D/first" \
			--check \
			--reference "$D/f.mote" -f "$D/heldout" -t "${on#* }"
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -ge 4 ]
