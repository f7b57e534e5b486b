#!/bin/sh
# mote-quantize --recover on the fixture: better on text that none has seen, the same bytes on other threads and
# instruction sets and from the tokens that a time came to, refusals.
. tests/strict.sh
number() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/'; }

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
head -c 40000 $F/calibration.txt >"$D/calibration"
head -c 6000 $F/heldout.txt >"$D/heldout"
quantize() { "$B/mote-quantize" "$D/f.mote" --type q3 --tensor '*=q3' --encoder round --calibrate "$D/calibration" \
	"$@" 2>/dev/null; }

quantize -o "$D/plain.mote" --validate "$D/heldout" -c 200 --json >"$D/plain.json"
quantize -o "$D/better.mote" --validate "$D/heldout" -c 200 --recover 8k --json -t 1 >"$D/better.json"
awk -v a="$(number kld_mean <"$D/better.json")" -v b="$(number kld_mean <"$D/plain.json")" 'BEGIN { exit !(a < b) }' ||
	fail "no better: $(number kld_mean <"$D/better.json"), before $(number kld_mean <"$D/plain.json")"
[ "$(wc -c <"$D/better.mote")" -le $(($(wc -c <"$D/plain.mote") + 100)) ] || fail "larger"
grep -q '"kept":true' "$D/better.json" || fail "not kept"
[ "$(number recover_tokens <"$D/better.json")" = 8192 ] ||
	fail "tokens in the recipe: $(number recover_tokens <"$D/better.json")"
for model in f plain better; do
	"$B/mote-inspect" "$D/$model.mote" --dump model.norm.weight >"$D/$model.norm"
done
cmp "$D/f.norm" "$D/plain.norm" || fail "a vector is another without recovery"
! cmp -s "$D/f.norm" "$D/better.norm" || fail "what recovery made of a vector is not written"
"$B/mote-inspect" "$D/better.mote" --json | grep -q '"recover_tokens":8192' || fail "no tokens in the lineage"

(export MOTE_ISA=avx2; quantize -o "$D/again.mote" --validate "$D/heldout" -c 200 --recover 8192 -t 3) ||
	quantize -o "$D/again.mote" --validate "$D/heldout" -c 200 --recover 8192 -t 3
cmp "$D/better.mote" "$D/again.mote" || fail "other bytes on other threads and instructions"

quantize -o "$D/time.mote" --no-validate --recover 1s --json >"$D/time.json"
quantize -o "$D/tokens.mote" --no-validate --recover "$(number recover_tokens <"$D/time.json")"
cmp "$D/time.mote" "$D/tokens.mote" || fail "other bytes from the tokens that a time came to"

# another seed learns from other passages, and the recipe says so
quantize -o "$D/seed.mote" --validate "$D/heldout" -c 200 --recover 8k --seed 3 --json >"$D/seed.json"
[ "$(grep -o '"recover_tokens":8192,"recover_seed":3}' "$D/seed.json" | wc -l)" = 2 ] || # the receipt's too
	fail "the recipe has no seed: $(cat "$D/seed.json")"
! cmp -s "$D/seed.mote" "$D/better.mote" || fail "the seed changes nothing"

# stopped in the middle it leaves its state and nothing else, and goes on from that to the same bytes
"$B/mote-quantize" "$D/f.mote" -o "$D/parts.mote" --type q3 --tensor '*=q3' --encoder round \
	--calibrate "$D/calibration" --no-validate \
	--recover 28k --state "$D/state" 2>"$D/err" &
child=$!
until grep -q 'recovering from 28672 tokens' "$D/err" || ! kill -0 $child 2>/dev/null; do sleep 0.02; done
kill -TERM $child 2>/dev/null || true
code=0
wait $child || code=$?
[ $code = 130 ] && grep -q 'goes on from there' "$D/err" || fail "interrupted: exit $code, $(cat "$D/err")"
[ -f "$D/state" ] && [ ! -e "$D/parts.mote" ] || fail "an interrupted recovery left the wrong files"
quantize -o "$D/parts.mote" --no-validate --recover 28k --state "$D/state" -t 1
quantize -o "$D/whole.mote" --no-validate --recover 28k
cmp "$D/parts.mote" "$D/whole.mote" || fail "other bytes after an interruption"
model=f
refused() { # words, arguments...
	words=$1
	shift
	! "$B/mote-quantize" "$D/$model.mote" -o "$D/x.mote" --calibrate "$D/calibration" --no-validate "$@" 2>"$D/err" ||
		fail "$* is taken"
	grep -q -- "$words" "$D/err" || fail "$*: $(cat "$D/err")"
}
refused 'another recovery' --type q3 --encoder round --recover 28k --state "$D/state"
cp -r $F "$D/other" # the same weights
sed 's/"rms_norm_eps": 1e-05/"rms_norm_eps": 0.001/' $F/config.json >"$D/other/config.json"
! cmp -s $F/config.json "$D/other/config.json" || fail "config.json is as it was"
"$B/mote-convert" "$D/other" -o "$D/other.mote" >/dev/null 2>&1
model=other
refused 'another recovery' --type q3 --tensor '*=q3' --encoder round --recover 28k --state "$D/state"
model=f
refused 'not the state of a recovery' --type q3 --encoder round --recover 8k --state "$D/heldout"
refused 'goes with --recover' --type q3 --state "$D/state"
refused 'goes with --recover' --budget 100k --recover 8k --state "$D/state"

for wrong in 0 k 5x 5mm -3 1e; do
	refused 'expected tokens (200k, 2M) or a time (90s, 5m, 1h)' --type q4 --recover $wrong
done
[ ! -e "$D/x.mote" ] || fail "a file"
echo "recover: fine"
