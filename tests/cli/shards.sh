# Parts of an evaluation: any number of shards joins to the bytes of one process; a part that is there is left alone;
# gaps, duplicates, foreign and damaged parts are refused.
. tests/strict.sh
refused() { # words of the message, command...
	words=$1 got=0
	shift
	"$@" >"$D/out" 2>"$D/err" || got=$?
	[ "$got" = 3 ] || fail "$* exited with $got: $(cat "$D/err")"
	[ ! -s "$D/out" ] || fail "$* printed something"
	grep -q -- "$words" "$D/err" || fail "$*: no \"$words\" in: $(cat "$D/err")"
}

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
"$B/mote-quantize" "$D/f.mote" -o "$D/q.mote" --type q3 --tensor '*=q3' --encoder round --no-validate >/dev/null 2>&1
awk 'BEGIN { for (i = 0; i < 30; i++) printf "{\"passage\":\"A %d\",\"question\":\"is it %d\",\"label\":\"%s\"}\n", i, i, i % 3 ? "true" : "false" }' >"$D/boolq.jsonl"
for i in 1 2 3 4 5; do
	printf '{"question":"What is %d + 4?","answer":"It is.\\n#### %d"}\n' $i $((i + 4))
done >"$D/gsm8k.jsonl"
cat >"$D/ifeval.jsonl" <<'END'
{"key":7,"prompt":"What is 3 + 4? No comma.","instruction_id_list":["punctuation:no_comma"],"kwargs":[{}]}
{"key":8,"prompt":"What is 5 + 4?","instruction_id_list":["startend:quotation","length_constraints:number_words"],"kwargs":[{},{"relation":"less than","num_words":500}]}
END
awk -v folder="$D" '/^<!-- file: / { name = $3; next } /^```json/ && name { inside = 1; next } /^```/ && inside { inside = 0; name = "" }
	inside { print >(folder "/" name) }' docs/evaluation.md # a task of one's own
set -- "$D/q.mote" --reference "$D/f.mote" --task boolq="$D/boolq.jsonl" --task gsm8k="$D/gsm8k.jsonl" \
	--task ifeval="$D/ifeval.jsonl" --task "$D/capitals.json=$D/capitals.jsonl" --max-tokens 24
"$B/mote-eval" "$@" --json --log "$D/log" >"$D/one"
"$B/mote-eval" "$@" | sed 's/; [0-9]* tokens.s$//' >"$D/table"
for n in 1 3 16; do
	seq $n | xargs -P 2 -I@ "$B/mote-eval" "$@" -t 1 --shard @/$n -o "$D/$n-@.part"
	"$B/mote-eval" --merge "$D/$n"-*.part --json --log "$D/log$n" >"$D/merged"
	cmp "$D/one" "$D/merged" || fail "$n shards give another result"
	cmp "$D/log" "$D/log$n" || fail "$n shards give another log"
	"$B/mote-eval" --merge "$D/$n"-*.part | cmp - "$D/table" || fail "$n shards print another table"
done

# What is there is not repeated, and stays as it is; what else is there is not replaced.
before=$(ls -i "$D/3-2.part")
"$B/mote-eval" "$@" --shard 2/3 -o "$D/3-2.part" 2>"$D/err"
grep -q 'is there already' "$D/err" && [ "$before" = "$(ls -i "$D/3-2.part")" ] || fail "a part is repeated"
refused 'is shard 2/3, not 1/3' "$B/mote-eval" "$@" --shard 1/3 -o "$D/3-2.part"
refused 'other inputs than this run' "$B/mote-eval" "$@" --limit 3 --shard 2/3 -o "$D/3-2.part"
refused 'no whole part' "$B/mote-eval" "$@" --shard 2/3 -o "$D/table"

# Only a whole is joined.
"$B/mote-eval" "$@" --limit 6 --shard 3/3 -o "$D/foreign" 2>/dev/null
refused 'one of 3 shards, but 2 are given' "$B/mote-eval" --merge "$D/3-1.part" "$D/3-3.part"
refused 'is shard 1/3, as is' "$B/mote-eval" --merge "$D/3-1.part" "$D/3-2.part" "$D/3-1.part"
refused 'other inputs' "$B/mote-eval" --merge "$D/3-1.part" "$D/3-2.part" "$D/foreign"
bytes=$(wc -c <"$D/3-3.part")
for n in 0 1 45 46 $((bytes / 2)) $((bytes - 1)); do
	head -c "$n" "$D/3-3.part" >"$D/short"
	refused 'no whole part' "$B/mote-eval" --merge "$D/3-1.part" "$D/3-2.part" "$D/short"
done
sed 's/"gold":1/"gold":0/' "$D/3-3.part" >"$D/changed"
refused 'no whole part' "$B/mote-eval" --merge "$D/3-1.part" "$D/3-2.part" "$D/changed"
