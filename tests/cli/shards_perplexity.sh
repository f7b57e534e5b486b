# Parts of mote-perplexity: any number of shards joins to the bytes of one process, against a reference that runs or was
# saved, over one text or several; and the macro average of several texts.
. tests/strict.sh
case $B in
*sanitize*) echo "minutes under a sanitizer; what it shares with the other shards is looked at by shards.sh"; exit 0 ;;
esac
expect() { # exit code, words of the message, command...
	code=$1 words=$2 got=0
	shift 2
	"$@" >"$D/out" 2>"$D/err" || got=$?
	[ "$got" = "$code" ] || fail "$* exited with $got: $(cat "$D/err")"
	[ ! -s "$D/out" ] || fail "$* printed something"
	grep -q -- "$words" "$D/err" || fail "$*: no \"$words\" in: $(cat "$D/err")"
}
measure() { "$B/mote-perplexity" "$@"; }

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
"$B/mote-quantize" "$D/f.mote" -o "$D/q.mote" --type q3 --encoder round --no-validate >/dev/null 2>&1
"$B/mote-quantize" "$D/f.mote" -o "$D/r.mote" --type q4 --encoder round --no-validate >/dev/null 2>&1
head -c 9000 $F/calibration.txt >"$D/other"
measure "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 9 --save-logits "$D/logits" >/dev/null

same() { # NAME, arguments...: 1, 3 and 16 shards of 9 chunks give the bytes of one process
	name=$1
	shift
	measure "$@" --json >"$D/one"
	measure "$@" >"$D/table"
	for n in 1 3 16; do
		seq $n | xargs -P 2 -I@ "$B/mote-perplexity" "$@" -t 1 --shard @/$n -o "$D/$name-$n-@.part"
		measure --merge "$D/$name-$n"-*.part --json | cmp - "$D/one" ||
			fail "$name: $n shards give other figures"
		measure --merge "$D/$name-$n"-*.part | cmp - "$D/table" || fail "$name: $n shards print another table"
	done
}
same alone "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 9
same reference "$D/q.mote" "$D/r.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 9
same logits "$D/q.mote" --reference-logits "$D/logits" -f $F/heldout.txt -c 200 --chunks 9
same texts "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -f "$D/other" -c 200 --chunks 9
same written "$D/q.mote" --reference "$D/f.mote" --generate 900 --seed 7 -c 128

# Losses token by token come out of parts too.
measure "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 9 --per-token "$D/losses" >/dev/null
measure --merge "$D"/alone-3-*.part --per-token "$D/merged" >/dev/null
cmp "$D/losses" "$D/merged" || fail "losses differ"

# What is there stays; what does not fit together is refused.
measure "$D/q.mote" -f $F/heldout.txt -c 200 --chunks 9 --shard 2/3 -o "$D/alone-3-2.part" 2>"$D/err"
grep -q 'is there already' "$D/err" || fail "a part is repeated"
expect 3 'other inputs than this run' measure "$D/q.mote" -f $F/heldout.txt -c 200 --shard 2/3 -o "$D/alone-3-2.part"
expect 3 'other inputs' measure --merge "$D/alone-3-1.part" "$D/alone-3-2.part" "$D/logits-3-3.part"
expect 3 'as is' measure --merge "$D/alone-3-1.part" "$D/alone-3-1.part" "$D/alone-3-2.part"
expect 3 'one of 3 shards, but 2' measure --merge "$D/alone-3-1.part" "$D/alone-3-2.part"
expect 3 'no whole part' measure --merge "$D/losses"
expect 2 'takes parts alone' measure --merge "$D/alone-3-1.part" -f "$D/other"
expect 2 'go together' measure "$D/q.mote" -f "$D/other" --shard 1/2
expect 2 'one model' measure --merge "$D"/reference-1-*.part --per-token "$D/x"

# The macro average: each text's figures are those that it has alone, and their means weigh texts alike.
measure "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -c 200 --chunks 9 --json >"$D/a"
measure "$D/q.mote" --reference "$D/f.mote" -f "$D/other" -c 200 --chunks 9 --json >"$D/b"
measure "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -f "$D/other" -c 200 --chunks 9 --json >"$D/both"
python3 - "$D" <<'EOF'
import json, math, sys
a, b, both = (json.load(open(sys.argv[1] + "/" + name)) for name in ("a", "b", "both"))
for one, text in zip((a, b), both["texts"]):
    assert all(text[key] == value for key, value in one.items() if key not in ("model", "file_bytes", "bits_per_weight"))
macro = both["macro"]
def near(x, y): assert abs(x - y) <= 1e-12 * abs(y), (x, y)
for key in "nll", "log_perplexity_ratio", "kld_mean", "top1_agreement", "delta_p_mean":
    near(macro[key], (a[key] + b[key]) / 2)
    for error in "_error", "_block_error":
        near(macro[key + error], math.hypot(a[key + error], b[key + error]) / 2)
near(macro["perplexity"], math.sqrt(a["perplexity"] * b["perplexity"]))
near(macro["perplexity_ratio"], math.sqrt(a["perplexity_ratio"] * b["perplexity_ratio"]))
near(macro["delta_p_rms"], math.sqrt((a["delta_p_rms"] ** 2 + b["delta_p_rms"] ** 2) / 2))
assert macro["tokens_scored"] == a["tokens_scored"] + b["tokens_scored"]
EOF
measure "$D/q.mote" --reference "$D/f.mote" -f $F/heldout.txt -f "$D/other" -c 200 --chunks 9 >"$D/out"
grep -q '^Macro average of 2 texts$' "$D/out" || fail "no macro average: $(cat "$D/out")"
expect 2 'several texts go with none' measure "$D/q.mote" -f "$D/other" -f "$D/other" --stamp
