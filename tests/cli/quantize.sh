# mote-quantize on the fixture: types and sizes, the same bytes on any number of threads, receipts that can be repeated,
# gates, goals, refusals, and nothing left behind.
. tests/strict.sh
number() { sed 's/.*"'"$1"'":\([^,}]*\).*/\1/'; } # of a JSON object on one line
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }
type_of() { # file, tensor
	"$B/mote-inspect" "$1" --json | tr '{' '\n' | grep "\"name\":\"$2\"" | sed 's/.*"type":"\([^"]*\)".*/\1/'
}
quantize() { "$B/mote-quantize" "$D/f.mote" "$@" 2>/dev/null; }

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
head -c 6000 $F/calibration.txt >"$D/calibration"
head -c 6000 $F/heldout.txt >"$D/heldout"

# Types: what --type says, the vocabulary at q8 under q4, rules, the last one winning.
quantize -o "$D/q4.mote" --type q4 --encoder round --no-validate
[ "$(type_of "$D/q4.mote" model.embed_tokens.weight)" = q8 ] || fail "embedding under q4"
[ "$(type_of "$D/q4.mote" model.layers.0.mlp.up_proj.weight)" = q4 ] || fail "up_proj under q4"
quantize -o "$D/rules.mote" --type q4 --encoder round --no-validate --tensor '*=q4' --tensor '*.0.*=q8' \
	--tensor '*up*=f16'
[ "$(type_of "$D/rules.mote" model.embed_tokens.weight)" = q4 ] || fail "*=q4 is the embedding too"
[ "$(type_of "$D/rules.mote" model.layers.0.mlp.down_proj.weight)" = q8 ] || fail "rule for layer 0"
[ "$(type_of "$D/rules.mote" model.layers.0.mlp.up_proj.weight)" = f16 ] || fail "the last rule wins"

# The same bytes on 1 and 3 threads, and with the instructions of another machine (tests/test_encode_matrix.c has the
# other encoders, tests/differential/quantize.sh every instruction set).
for encoder in round learned gptq; do
	set -- --type q4 --tensor '*.0.*=q3' --tensor '*up*=q5' --tensor '*.k_proj*=q6' --tensor '*.v_proj*=q4b' \
		--tensor '*gate*=q5b' \
		--encoder $encoder --calibrate "$D/calibration" --no-validate
	quantize -o "$D/$encoder.1" -t 1 "$@"
	(export MOTE_ISA=avx2; quantize -o "$D/$encoder.3" -t 3 "$@") || quantize -o "$D/$encoder.3" -t 3 "$@"
	cmp "$D/$encoder.1" "$D/$encoder.3" || fail "$encoder: 1 and 3 threads differ"
done

# Second order looks as far as it must: what is quantized later, or not at all, changes nothing in a matrix.
quantize -o "$D/alone.mote" --type bf16 --encoder gptq --calibrate "$D/calibration" --no-validate \
	--tensor '*.1.*o_proj*=q4'
quantize -o "$D/later.mote" --type bf16 --encoder gptq --calibrate "$D/calibration" --no-validate --tensor '*.1.*=q4' \
	--tensor '*.1.*[qkv]_proj*=bf16' --tensor '*.2.*down*=q5'
hash_of() {
	"$B/mote-inspect" "$1" --json | tr '{' '\n' | grep 'model.layers.1.self_attn.o_proj.weight' | sed 's/.*"xxh3"//'
}
[ "$(type_of "$D/later.mote" model.layers.1.mlp.up_proj.weight)" = q4 ] || fail "rules for gptq"
[ "$(hash_of "$D/alone.mote")" = "$(hash_of "$D/later.mote")" ] || fail "what is quantized later changes a matrix"

# Each better than plain rounding, on text that none has seen; the receipt repeats.
for encoder in round weighted gptq; do
	quantize -o "$D/$encoder.mote" --type q4 --encoder $encoder --calibrate "$D/calibration" \
		--validate "$D/heldout" \
		-c 200 --json >"$D/$encoder.json"
	number kld_mean <"$D/$encoder.json" >"$D/$encoder.kld"
done
less "$(cat "$D/weighted.kld")" "$(cat "$D/round.kld")" || fail "weighted is no better than rounding"
less "$(cat "$D/gptq.kld")" "$(awk '{ print $1 / 2 }' "$D/round.kld")" || fail "gptq is no better than half of rounding"
"$B/mote-perplexity" "$D/gptq.mote" --check --reference "$D/f.mote" -f "$D/heldout" >/dev/null 2>&1 ||
	fail "the receipt does not repeat"
"$B/mote-inspect" "$D/gptq.mote" --verify >/dev/null || fail "mote-inspect --verify"

# Gates leave no file, and say by how much.
expect 4 'KL divergence .* no file' "$B/mote-quantize" "$D/f.mote" -o "$D/gate.mote" --type q4 --encoder round \
	--validate "$D/heldout" -c 200 --max-kld 0.0000001
expect 4 'perplexity ratio .* no file' "$B/mote-quantize" "$D/f.mote" -o "$D/gate.mote" --type q4 --encoder round \
	--validate "$D/heldout" -c 200 --max-ppl-ratio 0.5

# A goal: the file fits, the table of sensitivities is in it.
quantize -o "$D/bits.mote" --bits 6 --calibrate "$D/calibration" --validate "$D/heldout" -c 200 --json >"$D/bits.json"
less "$(number bits_per_weight <"$D/bits.json")" 6.0001 ||
	fail "--bits 6 takes $(number bits_per_weight <"$D/bits.json")"
less 5.5 "$(number bits_per_weight <"$D/bits.json")" || fail "--bits 6 wastes bits"
"$B/mote-inspect" "$D/bits.mote" --json | grep -q '"tensor":"model.layers.0.mlp.up_proj.weight","type":"q4"' ||
	fail "no sensitivities"
quantize -o "$D/size.mote" --budget 520kB --encoder search --calibrate "$D/calibration" --validate "$D/heldout" -c 200
[ "$(wc -c <"$D/size.mote")" -le 520000 ] || fail "--budget 520kB: $(wc -c <"$D/size.mote") bytes"
[ "$(wc -c <"$D/size.mote")" -ge 505000 ] || fail "--budget 520kB: only $(wc -c <"$D/size.mote") bytes"
# What the encoder of second order leaves of the damage depends on the weight: sensitivity.c says how much.
"$B/mote-inspect" "$D/bits.mote" --json >"$D/second.json"
"$B/mote-inspect" "$D/size.mote" --json >"$D/first.json"
python3 - "$D" <<'END' || fail "shares of the damage"
import json, sys
second, first = ({(row["tensor"], row["type"]): row["kld"] for row in json.load(open(sys.argv[1] + name))["sensitivity"]["rows"]}
                 for name in ("/second.json", "/first.json"))
shares = {"embed": 1.1, "q_proj": 1, "k_proj": 1, "v_proj": 0.26, "o_proj": 0.8, "gate": 0.63, "up": 0.63, "down": 0.63}
for (tensor, kind), kld in first.items():
    share = next(shares[word] for word in shares if word in tensor)
    assert abs(second[tensor, kind] / kld / share - 1) < 0.02, (tensor, kind, kld, second[tensor, kind])
END
# A type is a mixture too: the size of its own file is enough for the same tensors.
set -- --calibrate "$D/calibration" --validate "$D/heldout" -c 200
quantize -o "$D/type.mote" --type q3b --tensor '*=q3b' "$@"
quantize -o "$D/same.mote" --budget "$(wc -c <"$D/type.mote")" "$@" || fail "no mixture as small as --type q3b"
[ "$(wc -c <"$D/same.mote")" -le "$(wc -c <"$D/type.mote")" ] || fail "larger than --type q3b"
hash_of() { "$B/mote-inspect" "$1" --json | sed 's/.*"tensors_hash":"\([^"]*\)".*/\1/'; }
[ "$(hash_of "$D/same.mote")" = "$(hash_of "$D/type.mote")" ] || fail "not the tensors of --type q3b"

# Without a goal it is a mixture of 5 bits.
quantize -o "$D/default.mote" --encoder round --no-validate --calibrate "$D/calibration" || fail "no default"
"$B/mote-inspect" "$D/default.mote" --json | grep -q '"recipe":{"bits":5,' || fail "the default is another goal"

# Refusals, each with its reason.
expect 2 '--for gguf goes with --type' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --for gguf
expect 2 'OUT.mote is missing' "$B/mote-quantize" "$D/f.mote" --type q8
expect 2 'expected q3, q4' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --type q5_k
expect 2 'expected round' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --type q8 --encoder best
expect 2 'matches no matrix' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --type q8 --tensor 'foo=q4'
expect 2 'PATTERN=TYPE' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --type q8 --tensor foo
expect 2 'expected a size' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --budget 80XB
expect 2 'contradict' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --budget 80MB --bits 5
expect 2 'smallest types take' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --bits 3.2
expect 2 'exists' "$B/mote-quantize" "$D/f.mote" -o "$D/q4.mote" --type q8
expect 3 'quantized\|q4 already' "$B/mote-quantize" "$D/q4.mote" -o "$D/x.mote" --type q8
expect 3 'quantizing it again' "$B/mote-quantize" "$D/q4.mote" -o "$D/x.mote" --bits 5
expect 3 'must not be measured on' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --type q4 --calibrate $F/heldout.txt \
	--validate "$D/heldout"
"$B/mote-quantize" "$D/q4.mote" -o "$D/again.mote" --type q8 --requantize --no-validate 2>/dev/null ||
	fail "--requantize"

# A source that is not what its checksums say: its name, and no file; what is no text is not calibrated on, and said of
# a text to measure on.
cp "$D/f.mote" "$D/flipped.mote"
printf '\377\377\177\077' | dd of="$D/flipped.mote" bs=1 seek=40000 conv=notrunc 2>/dev/null
for encoder in round gptq; do
	expect 3 'tensor "model.* checksum does not match' "$B/mote-quantize" "$D/flipped.mote" -o "$D/x.mote" \
		--type q8 \
		--encoder $encoder --no-validate
done
{ cat "$D/calibration"; printf 'caf\351'; } >"$D/latin1"
expect 3 'calibration text: latin1: byte 6003 (0xe9) is not UTF-8' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" \
	--type q4 \
	--calibrate "$D/latin1" --no-validate
expect 0 'validation text latin1: byte 6003' "$B/mote-quantize" "$D/f.mote" -o "$D/latin1.mote" --type q8 \
	--validate "$D/latin1" -c 200
printf 'What is' >"$D/little"
"$B/mote-quantize" "$D/f.mote" -o "$D/piped.mote" --type q8 --encoder round --validate - -c 200 --json <"$D/heldout" |
	grep -q '"validation":{"name":"standard input"' || fail "a text from standard input has another name"
expect 2 'calibration text: the text has .* tokens; with a context of' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" \
	--type q4 \
	--calibrate "$D/little" --no-validate
for rule in "little -c 200" "latin1 -c 4096"; do # before hours are spent on what is to be measured
	expect 2 'validation text: ' "$B/mote-quantize" "$D/f.mote" -o "$D/x.mote" --type q4 --encoder round --recover 4k \
		--calibrate tests/fixtures/adder/calibration.txt --validate "$D/${rule%% *}" ${rule#* }
	! grep -q 'recovering' "$D/err" || fail "a text that cannot be measured on is found out too late"
done

# Interrupted at any moment: 130, and nothing left.
for delay in 0.05 0.3 0.8; do
	"$B/mote-quantize" "$D/f.mote" -o "$D/stop.mote" --type q4 -t 1 2>/dev/null &
	sleep $delay
	got=0
	# TERM: a shell's jobs in the background begin with INT ignored; 143: it came before the tool could catch it
	kill -TERM $! 2>/dev/null && { wait $! || got=$?; [ "$got" = 130 ] || [ "$got" = 143 ] ||
		fail "interrupted after $delay s: exit $got"; }
done
left=$(ls -A "$D" | grep -c -e gate -e stop -e x.mote -e tmp || true)
[ "$left" = 0 ] || fail "left behind: $(ls -A "$D")"
