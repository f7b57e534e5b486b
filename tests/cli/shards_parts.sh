# --parts: one process in pieces gives the bytes of a run without, goes on from what is in the folder, and repeats
# nothing of it; damaged pieces are refused, other inputs' are left alone.
. tests/strict.sh
refused() { # exit code, words of the message, command...
	code=$1 words=$2 got=0
	shift 2
	"$@" >"$D/out" 2>"$D/err" || got=$?
	[ "$got" = "$code" ] || fail "$* exited with $got: $(cat "$D/err")"
	[ ! -s "$D/out" ] || fail "$* printed something"
	grep -q -- "$words" "$D/err" || fail "$*: no \"$words\" in: $(cat "$D/err")"
}

"$B/mote-convert" $F -o "$D/f.mote" -q
"$B/mote-quantize" "$D/f.mote" -o "$D/q.mote" --type q4 --encoder round --no-validate -q
for i in $(seq 40); do
	printf '{"passage":"A %d","question":"is it","label":"%s"}\n' "$i" "$([ $((i % 3)) = 0 ] && echo false || echo true)"
done >"$D/boolq.jsonl"
head -c 3600 $F/calibration.txt >"$D/calibration"
perplexity() {
	"$B/mote-perplexity" "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 64 --chunks 12 -t 1 --json "$@"
}
alone() { "$B/mote-perplexity" "$D/q.mote" -f $F/heldout.txt -c 64 -t 1 --json "$@"; }
evaluate() { "$B/mote-eval" "$D/q.mote" --reference "$D/f.mote" --task boolq="$D/boolq.jsonl" -t 1 --json "$@"; }
quantize() { # few matrices to choose for
	"$B/mote-quantize" "$D/f.mote" --calibrate "$D/calibration" --encoder round --tensor '*mlp*=q4' \
		--tensor '*[koq]_proj*=q4' --bits 4.5 --no-validate -t 1 -qfo "$D/out.mote" "$@" && cat "$D/out.mote"
}

for run in perplexity evaluate quantize; do
	kept=$D/$run
	$run >"$D/whole"
	$run --parts "$kept" >"$D/pieces"
	cmp "$D/whole" "$D/pieces" || fail "$run: another result in pieces"
	ls -i "$kept" >"$D/list"
	[ "$(wc -l <"$D/list")" -ge 2 ] || fail "$run: one piece: $(cat "$D/list")"
	$run --parts "$kept" | cmp "$D/whole" - || fail "$run: another result from what is there"
	ls -i "$kept" | cmp "$D/list" - || fail "$run: what is there is repeated"
	# One is missing, one has the bytes of another, one was cut.
	first=$(ls "$kept" | sed -n 1p) second=$(ls "$kept" | sed -n 2p)
	mv "$kept/$first" "$D/first"
	$run --parts "$kept" | cmp "$D/whole" - || fail "$run: another result with a piece made again"
	cmp "$D/first" "$kept/$first" || fail "$run: another piece made again"
	ls -i "$kept" | grep -vF "$first" >"$D/others"
	grep -vF "$first" "$D/list" | cmp "$D/others" - || fail "$run: more than the missing piece is made"
	mv "$kept/$second" "$D/second"
	cp "$D/first" "$kept/$second"
	refused 3 'is shard ' $run --parts "$kept"
	head -c 200 "$D/second" >"$kept/$second"
	refused 3 'no whole part' $run --parts "$kept"
	mv "$D/second" "$kept/$second"
done

# Other inputs have other names, and leave these alone.
ls -i "$D/perplexity" >"$D/list"
perplexity --chunks 3 >"$D/whole"
perplexity --chunks 3 --parts "$D/perplexity" | cmp "$D/whole" - || fail "another result beside other parts"
ls -i "$D/perplexity" >"$D/more"
grep -qvxFf "$D/list" "$D/more" && ! grep -qvxFf "$D/more" "$D/list" || fail "other parts were touched"

# Interrupted: what was finished is taken.
(exec "$B/mote-perplexity" "$D/q.mote" -f $F/heldout.txt -c 64 -t 1 --parts "$D/cut" >"$D/out" 2>"$D/err") &
until ls "$D"/cut/*-2-of-* >/dev/null 2>&1 || ! kill -0 $! 2>/dev/null; do sleep 0.02; done
kill -TERM $! 2>/dev/null || :
wait $! || :
done_before=$(ls "$D/cut" | wc -l)
[ "$done_before" -ge 2 ] || fail "nothing was kept: $(cat "$D/err")"
ls -i "$D/cut" >"$D/list"
alone --parts "$D/cut" >"$D/pieces"
ls -i "$D/cut" >"$D/more"
! grep -qvxFf "$D/more" "$D/list" || fail "what was finished was made again"
alone | cmp - "$D/pieces" || fail "another result after an interruption"

refused 1 'f.mote' perplexity --parts "$D/f.mote"
refused 1 'No such file' evaluate --parts "$D/no/folder"
refused 2 'goes with none' perplexity --parts "$D/x" --all-positions
refused 2 'goes with none' evaluate --parts "$D/x" --shard 1/2 -o "$D/y"
refused 2 'for mixtures' quantize --parts "$D/x" --merge
[ ! -e "$D/x" ] || fail "a refusal made a folder"
