# mote-train on the fixture: threads and instruction sets change no bit, a training that was interrupted goes on to the
# same file, preferences begin where they must, what it learnt is in the lineage, and refusals.
. tests/strict.sh

"$B/mote-convert" tests/fixtures/adder -o "$D/f.mote" >/dev/null 2>&1
awk -v q='"' -v sft="$D/sft.jsonl" -v dpo="$D/dpo.jsonl" 'BEGIN { for (i = 1; i <= 8; i++) { a = i * 7 % 90; b = i * 31 % 90
	user = "{" q "role" q ":" q "user" q "," q "content" q ":" q "What is " a " + " b "?" q "}"
	printf "{" q "messages" q ":[" user ",{" q "role" q ":" q "assistant" q "," q "content" q ":" q (a + b) "." q "}]}\n" >sft
	printf "{" q "prompt" q ":[" user "]," q "chosen" q ":" q (a + b) "." q "," q "rejected" q ":" q "Who knows?" q "}\n" >dpo } }'
short="--epochs 2 --batch 4 --lr 1e-3 --max-length 90"

# the same bits everywhere, and less loss
"$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short -o "$D/a.mote" -t 1 --json --curve "$D/a.svg" \
	--eval "$D/sft.jsonl" >"$D/a.json"
MOTE_ISA=scalar "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short -o "$D/b.mote" -t 3 2>/dev/null
cmp "$D/a.mote" "$D/b.mote" || fail "threads or instruction sets change the result"
python3 - "$D" <<'END' || fail "results"
import json, sys, xml.dom.minidom
lines = [json.loads(x) for x in open(sys.argv[1] + "/a.json")]
assert [x["step"] for x in lines[:-1]] == [1, 2, 3, 4] and all(x["steps"] == 4 for x in lines[:-1])
last = lines[-1]
assert all(x > 0 for x in last["speed"].values()) and last["speed"]["share_of_peak"] < 2, last
assert last["records"] == 8 and last["cut"] == last["dropped"] == 0 and last["eval_after"] < 0.8 * last["eval_before"], last
assert xml.dom.minidom.parse(sys.argv[1] + "/a.svg").documentElement.tagName == "svg"
END
"$B/mote-inspect" "$D/a.mote" --json | grep -q '"step":"train".*"loss":"nll"' ||
	fail "the lineage does not say how it was trained"
"$B/mote-inspect" "$D/a.mote" --json >"$D/facts"
python3 - "$D" <<'END' || fail "the lineage's losses are not the log's"
import json, sys
[lineage] = [x for x in json.load(open(sys.argv[1] + "/facts"))["metadata"]["lineage"] if x["step"] == "train"]
steps = [json.loads(x) for x in open(sys.argv[1] + "/a.json")][:-1]
assert [at for at, _ in lineage["loss"]] == [1, 2, 3, 4] and lineage["steps"] == 4, lineage
assert all(abs(loss - x["loss"]) < 1e-6 for (_, loss), x in zip(lineage["loss"], steps)), lineage
END
"$B/mote-run" "$D/a.mote" -p "What is 1 + 2?" -n 4 >/dev/null 2>&1 || fail "the trained model does not run"
! "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --seed 1 -o "$D/c.mote" 2>/dev/null ||
	! cmp -s "$D/a.mote" "$D/c.mote" ||
	fail "the seed changes nothing"

# only the state is kept of a training that is interrupted; the same command goes on from it
"$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --epochs 14 --neftune 5 -o "$D/whole.mote" 2>/dev/null
: >"$D/steps"
"$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --epochs 14 --neftune 5 -o "$D/parts.mote" \
	--state "$D/state" --state-every 5 --json \
	>>"$D/steps" 2>/dev/null &
child=$!
while [ "$(wc -l <"$D/steps")" -lt 3 ] && kill -0 $child 2>/dev/null; do sleep 0.02; done
kill -TERM $child 2>/dev/null || true
code=0
wait $child || code=$?
[ $code = 130 ] || fail "an interrupted training exited with $code"
[ -f "$D/state" ] && [ ! -e "$D/parts.mote" ] || fail "an interrupted training left the wrong files"
"$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --epochs 14 --neftune 5 -o "$D/parts.mote" \
	--state "$D/state" 2>/dev/null
cmp "$D/whole.mote" "$D/parts.mote" || fail "going on gives another result"

# stopped behind the last step, while the loss is measured once more: nothing is lost
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do cat "$D/sft.jsonl"; done \
	>"$D/many.jsonl"
last="--data $D/sft.jsonl --eval $D/many.jsonl --batch 8 --lora 2 -o $D/last.mote --state $D/last.state --json"
: >"$D/last.steps"
"$B/mote-train" sft "$D/f.mote" $last >>"$D/last.steps" 2>"$D/err" &
child=$!
until grep -q '"step":1,' "$D/last.steps" || ! kill -0 $child 2>/dev/null; do sleep 0.02; done
kill -TERM $child 2>/dev/null || true
code=0
wait $child || code=$?
[ $code = 130 ] && grep -q 'interrupted at step 1 of 1; the same command' "$D/err" ||
	fail "interrupted at the end: exit $code, $(cat "$D/err")"
"$B/mote-train" sft "$D/f.mote" $last >/dev/null
"$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" --batch 8 --lora 2 -o "$D/once.mote" 2>/dev/null
cmp "$D/last.mote" "$D/once.mote" || fail "going on behind the last step gives another result"
expect 3 'the state of another training' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --epochs 15 \
	-o "$D/x.mote" --state "$D/state"
sed "s/<|im_start|>' +/<|im_start|>the ' +/" tests/fixtures/adder/chat_template.jinja >"$D/template"
sed 's/"rope_theta": 10000.0/"rope_theta": 500.0/' tests/fixtures/adder/config.json >"$D/config"
for file in template config; do # the same weights
	cp -r tests/fixtures/adder "$D/of_$file"
	[ $file = config ] && name=config.json || name=chat_template.jinja
	cmp -s "$D/$file" "$D/of_$file/$name" && fail "$name is as it was"
	cp "$D/$file" "$D/of_$file/$name"
	"$B/mote-convert" "$D/of_$file" -o "$D/of_$file.mote" >/dev/null 2>&1
	expect 3 'the state of another training' "$B/mote-train" sft "$D/of_$file.mote" --data "$D/sft.jsonl" $short \
		--epochs 14 --neftune 5 -o "$D/x.mote" --state "$D/state"
done
head -c 5000 "$D/state" >"$D/cut"
expect 3 'the state ends too early' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --epochs 14 \
	--neftune 5 -o "$D/x.mote" --state "$D/cut"
printf x | dd of="$D/state" bs=1 seek=9000 conv=notrunc 2>/dev/null
expect 3 'checksum does not match' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --epochs 14 \
	--neftune 5 -o "$D/x.mote" --state "$D/state"

# a prompt's text beside conversations that begin with it is theirs already
python3 - "$D/dpo.jsonl" "$D/whole.jsonl" <<'END'
import json, sys
with open(sys.argv[2], "w") as out:
    for pair in map(json.loads, open(sys.argv[1])):
        for key in "chosen", "rejected":
            pair[key] = pair["prompt"] + [{"role": "assistant", "content": pair[key]}]
        print(json.dumps(dict(pair, prompt=pair["prompt"][0]["content"])), file=out)
END
for data in dpo whole; do
	"$B/mote-train" dpo "$D/f.mote" --data "$D/$data.jsonl" $short -o "$D/of_$data.mote" --json | head -n 4 >"$D/$data.json"
done
cmp "$D/dpo.json" "$D/whole.json" || fail "a prompt's text is read twice"

# the template's variables are the record's
sed "s/<|im_start|>' +/<|im_start|>' + (word or '') +/" tests/fixtures/adder/chat_template.jinja >"$D/template"
cp -r tests/fixtures/adder "$D/word"
cp "$D/template" "$D/word/chat_template.jinja"
"$B/mote-convert" "$D/word" -o "$D/word.mote" >/dev/null 2>&1
sed 's/^{/{"chat_template_kwargs":{"word":"the "},/' "$D/sft.jsonl" >"$D/word.jsonl"
sed 's/"role":"assistant"/"train":true,"weight":1,&/; s/"role":"user"/"weight":0,&/' "$D/sft.jsonl" >"$D/weights.jsonl"
for run in word/word of_template/sft word/weights; do
	"$B/mote-train" sft "$D/${run%/*}.mote" --data "$D/${run#*/}.jsonl" $short -o "$D/w.mote" --force --json |
		head -n 4 >"$D/w_$(basename "$run").json"
done
cmp "$D/w_word.json" "$D/w_sft.json" || fail "a record's variables are not the template's"
head -n 4 "$D/a.json" | cmp - "$D/w_weights.json" || fail "a record without variables, or with weights of 1, is another"

# preferences: nothing is preferred at first, then the chosen answer
for loss in sigmoid apo_zero; do
	"$B/mote-train" dpo "$D/f.mote" --data "$D/dpo.jsonl" $short --loss $loss -o "$D/$loss.mote" --json >"$D/p.json"
	python3 - "$D/p.json" $loss <<'END' || fail "$loss"
import json, math, sys
lines = [json.loads(x) for x in open(sys.argv[1])][:-1]
assert abs(lines[0]["loss"] - {"sigmoid": math.log(2), "apo_zero": 1}[sys.argv[2]]) < 1e-6, lines[0]
assert abs(lines[0]["margin"]) < 1e-6 and lines[-1]["margin"] > 0.1, lines[-1]
END
done

# low-rank adapters: the same bits everywhere and after an interruption's state, and what conversion makes of the
# adapter is the merged model
"$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --lora 4 --lora-alpha 12 --neftune 5 -o "$D/lora.mote" \
	--adapter "$D/adapter" -t 1 --json \
	--eval "$D/sft.jsonl" --state "$D/lora.state" --state-every 2 >"$D/lora.json"
tail -n 1 "$D/lora.json" | python3 -c 'import json, sys; x = json.load(sys.stdin); assert x["eval_after"] < 0.99 * x["eval_before"], x' ||
	fail "an adapter learns nothing"
MOTE_ISA=scalar "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --lora 4 --lora-alpha 12 --neftune 5 \
	-o "$D/lora2.mote" -t 3 2>/dev/null
cmp "$D/lora.mote" "$D/lora2.mote" || fail "threads or instruction sets change an adapter"
[ "$(wc -c <"$D/lora.state")" -lt 700000 ] || fail "the state of an adapter holds $(wc -c <"$D/lora.state") bytes"
"$B/mote-convert" tests/fixtures/adder --lora "$D/adapter" -o "$D/converted.mote" >/dev/null 2>&1
for f in lora converted; do "$B/mote-inspect" "$D/$f.mote" --json | grep -o '"tensors_hash":"[0-9a-f]*"' >"$D/$f.tensors"; done
[ -s "$D/lora.tensors" ] && cmp "$D/lora.tensors" "$D/converted.tensors" ||
	fail "the adapter converts to another model than the merged one"
expect 2 'exists' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" --lora 4 -o "$D/x.mote" --adapter "$D/adapter"
"$B/mote-inspect" "$D/lora.mote" --json | grep -q '"neftune":5,"lora_rank":4,"lora_alpha":12' ||
	fail "the lineage does not say what an adapter was"
expect 2 'goes with sft' "$B/mote-train" dpo "$D/f.mote" --data "$D/dpo.jsonl" --neftune 5 -o "$D/x.mote"
expect 2 'go with --lora' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote" --adapter "$D/adapter2"
expect 2 'goes with dpo' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" --beta 0.2 -o "$D/x.mote"
for option in --curve --state; do
	expect 2 'two files at once' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote" $option "$D/x.mote"
done
expect 2 'two files at once' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote" --curve "$D/x" --state "$D/x"
[ ! -e "$D/adapter2" ] || fail "a refused training left a folder"

# a template whose prompt for an answer has other white space than its answers: the same tokens are learnt
cp -r tests/fixtures/adder "$D/sloppy"
sed -i "s/{{- '<|im_start|>assistant.n' }}/{{- '  <|im_start|>assistant\\\\n\\\\n' }}/" "$D/sloppy/chat_template.jinja"
cmp -s "$D/sloppy/chat_template.jinja" tests/fixtures/adder/chat_template.jinja && fail "the template is as it was"
"$B/mote-convert" "$D/sloppy" -o "$D/sloppy.mote" >/dev/null 2>&1
"$B/mote-train" sft "$D/sloppy.mote" --data "$D/sft.jsonl" $short -o "$D/s.mote" --json | head -n 4 >"$D/s.json"
head -n 4 "$D/a.json" | cmp - "$D/s.json" || fail "white space of the prompt decides what is learnt"

# plain text: all of it is learnt, also by a model without a template; what is longer than a record goes on in the next
# one
awk 'BEGIN { for (i = 1; i <= 8; i++) printf "{\"text\":\"%s %s\"}\n", "One cold morning Ben walked to the park.<|endoftext|>", i * 37 }' >"$D/text.jsonl"
cp -r tests/fixtures/adder "$D/plain"
rm "$D/plain/chat_template.jinja"
"$B/mote-convert" "$D/plain" -o "$D/plain.mote" >/dev/null 2>&1
{ cat "$D/text.jsonl" && echo '{"text":""}'; } >"$D/gap.jsonl"
expect 0 '0 of 9 records were cut to 90 tokens, 1 left out since nothing in them is learnt' "$B/mote-train" sft \
	"$D/plain.mote" --data "$D/gap.jsonl" $short -o "$D/gap.mote"
for length in 90 8; do
	"$B/mote-train" sft "$D/plain.mote" --data "$D/text.jsonl" --eval "$D/text.jsonl" --max-length $length \
		--batch 4 --epochs 2 --lr 1e-3 -o "$D/t$length.mote" --json |
		tail -n 1 >"$D/t$length.json"
done
# what is measured is the same text whatever is learnt, and what is learnt the same whatever is measured
echo '{"text":"One."}' >"$D/one.jsonl"
"$B/mote-train" sft "$D/plain.mote" --data "$D/one.jsonl" --eval "$D/text.jsonl" --tokens-at-once 1 -o "$D/one.mote" \
	--json | tail -n 1 >"$D/one.json"
"$B/mote-train" sft "$D/plain.mote" --data "$D/one.jsonl" --tokens-at-once 1 -o "$D/alone.mote" 2>/dev/null
cmp "$D/one.mote" "$D/alone.mote" || fail "--eval changes the result"
# and what it is, mote-perplexity says too
head -n 1 "$D/text.jsonl" >"$D/first.jsonl"
awk 'BEGIN { printf "One cold morning Ben walked to the park.<|endoftext|> 37" }' >"$D/said"
"$B/mote-train" sft "$D/plain.mote" --data "$D/one.jsonl" --eval "$D/first.jsonl" -o "$D/first.mote" --json |
	tail -n 1 >"$D/first.json"
"$B/mote-perplexity" "$D/plain.mote" -f "$D/said" --all-positions --json >"$D/said.json"
python3 - "$D" <<'END' || fail "plain text"
import json, sys
whole, parts, one, first, said = (json.load(open(f"{sys.argv[1]}/{n}.json")) for n in ("t90", "t8", "one", "first", "said"))
assert abs(first["eval_before"] - said["nll"]) < 1e-5, (first, said)
assert abs(one["eval_before"] - whole["eval_before"]) < 1e-6, (one, whole)
assert whole["records"] == 8 and whole["cut"] == 0 and whole["eval_after"] < 0.8 * whole["eval_before"], whole
assert parts["records"] > 8 and parts["cut"] == 0, parts
# every token but a text's first is learnt once: parts overlap by the one that the next begins with
assert parts["tokens"] - 2 * parts["records"] == whole["tokens"] - 2 * whole["records"], (whole, parts)
END

# new special tokens: their rows begin as the mean of all others, ids and metadata follow, and it becomes a directory
# again
sed 's/"content":"\([0-9]*\.\)"/"content":"<reason>\\n\1\\n<\/reason>\\n\1"/' "$D/sft.jsonl" >"$D/reason.jsonl"
grep -q '<reason>.n[0-9]*\..n</reason>' "$D/reason.jsonl" || fail "the records are as they were"
"$B/mote-train" sft "$D/f.mote" --data "$D/reason.jsonl" --add-token '<reason>' --add-token '</reason>' --lr 1e-30 \
	--dtype f32 \
	-o "$D/new.mote" --json | tail -n 1 >"$D/new.json"
"$B/mote-convert" -q "$D/new.mote" -o "$D/new/"
python3 - "$D" <<'END' || fail "new tokens"
import array, json, struct, sys
D = sys.argv[1]
raw = open(D + "/new/model.safetensors", "rb").read()
start = 8 + struct.unpack("<Q", raw[:8])[0]
table = json.loads(raw[8:start])["model.embed_tokens.weight"]
rows, cols = table["shape"]
assert (table["dtype"], rows, cols) == ("F32", 508, 128), table
w = array.array("f", raw[start + table["data_offsets"][0]:start + table["data_offsets"][1]])
for c in range(cols):
    mean = sum(w[r * cols + c] for r in range(506)) / 506
    assert all(abs(w[r * cols + c] - mean) < 1e-7 for r in (506, 507)), c
tokens = {t["content"]: (t["id"], t["special"]) for t in json.load(open(D + "/new/tokenizer.json"))["added_tokens"]}
assert tokens["<reason>"] == (506, True) and tokens["</reason>"] == (507, True), tokens
assert json.load(open(D + "/new/config.json"))["vocab_size"] == 508
assert json.load(open(D + "/new.json"))["recipe"]["added_tokens"] == ["<reason>", "</reason>"]
END
"$B/mote-convert" -q "$D/new" -o "$D/again.mote"
for file in new again; do
	"$B/mote-tokenize" "$D/$file.mote" -p '<reason>1</reason>' | grep -q '^506 .* 507$' ||
		fail "$file: new tokens are not found"
	"$B/mote-inspect" "$D/$file.mote" --json | grep -q '"</reason>":507' ||
		fail "$file: the metadata do not name the new tokens"
done
"$B/mote-train" sft "$D/f.mote" --data "$D/reason.jsonl" --add-token '<reason>' --add-token '</reason>' --lr 3e-3 \
	--epochs 20 --batch 4 -o "$D/r.mote" -t 1 2>/dev/null
"$B/mote-run" "$D/r.mote" -p "What is 7 + 31?" --temp 0 -n 30 --json 2>/dev/null | grep -q '"ids":\[506,.*507' ||
	fail "the new tokens are not learnt"
expect 2 'is in the vocabulary already (id 504)' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" \
	--add-token '<think>' -o "$D/x.mote"

# What a quantized matrix stands for is kept whole, whatever type those beside it have.
"$B/mote-quantize" -q "$D/f.mote" -o "$D/mixed.mote" --type q4 --encoder round --no-validate --tensor 'model.layers.0.*=f16'
"$B/mote-train" sft "$D/mixed.mote" --data "$D/sft.jsonl" $short -o "$D/unmixed.mote" 2>/dev/null
"$B/mote-inspect" "$D/unmixed.mote" | grep -q 'layers.1.self_attn.q_proj.weight  *f32' || fail "a quantized matrix became less than f32"

# refusals
bad() { # words, line
	printf '%s\n' '{"messages":[{"role":"user","content":"1?"},{"role":"assistant","content":"1."}]}' "$2" \
		>"$D/bad.jsonl"
	expect 3 "$1" "$B/mote-train" sft "$D/f.mote" --data "$D/bad.jsonl" -o "$D/x.mote"
}
bad 'bad.jsonl: line 2, column 15: ' '{"messages": [}'
bad 'line 2: "messages": expected a list of messages' '{"words":"no"}'
bad 'line 2: "text": expected a text' '{"text":["no"]}'
bad 'line 2: "text": expected nothing of it beside "messages"' '{"text":"no","messages":[]}'
bad 'line 2: "messages": expected messages with a "role"' '{"messages":[{"content":"no"}]}'
bad 'line 2: "messages": expected an answer of the assistant' '{"messages":[{"role":"user","content":"no"}]}'
bad 'line 2: expected an object' '[1]'
for mark in '"weight":0' '"weight":0.5' '"train":false'; do
	bad 'line 2: "messages": expected no answer that is not' \
		'{"messages":[{"role":"assistant","content":"1",'"$mark"'},{"role":"assistant","content":"2"}]}'
done
bad 'line 2: "chat_template_kwargs": expected an object' '{"chat_template_kwargs":1,"text":"1"}'
bad 'line 2: "chat_template_kwargs": expected variables' '{"chat_template_kwargs":{"messages":[]},"text":"1"}'
bad 'bad.jsonl: line 2, column 1: expected a value, found a byte order mark' "$(printf '\357\273\277{"text":"1"}')"
printf '\n \r\n\0\n{"text":"1"}\n' >"$D/bad.jsonl" # a NUL byte is nothing that may be passed over
expect 3 'bad.jsonl: line 3, column 1: ' "$B/mote-train" sft "$D/f.mote" --data "$D/bad.jsonl" -o "$D/x.mote"
expect 3 'line 1: "chosen": expected a list' "$B/mote-train" dpo "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote"
: >"$D/empty"
expect 3 'no record has an answer' "$B/mote-train" sft "$D/f.mote" --data "$D/empty" -o "$D/x.mote"
expect 2 'exists' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/a.mote"
expect 1 'cannot create a temporary file' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short -o "$D/x.mote" \
	--state "$D/none/state"
expect 2 'same file\|made from\|input' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/f.mote" --force
expect 2 'does not belong to sft' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote" --loss sigmoid
expect 2 'expected sft or dpo' "$B/mote-train" ppo "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote"
expect 2 'expected sft or dpo, found .*f.mote' "$B/mote-train" "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote"
expect 2 'MODEL.mote is missing' "$B/mote-train" sft --data "$D/sft.jsonl" -o "$D/x.mote"
expect 2 'goes with --state' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" -o "$D/x.mote" --state-every 5
# Frequencies that follow the context would be those of the longest record, of --eval's too.
cp -r tests/fixtures/adder "$D/dynamic"
sed 's/"rope_scaling": null/"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}/' tests/fixtures/adder/config.json \
	>"$D/dynamic/config.json"
"$B/mote-convert" -q "$D/dynamic" -o "$D/dynamic.mote"
python3 -c 'import json; print(json.dumps({"text": open("tests/fixtures/adder/heldout.txt").read(6000)}))' >"$D/long.jsonl"
expect 3 'RoPE (dynamic) changes with contexts of more than 512' "$B/mote-train" sft "$D/dynamic.mote" \
	--data "$D/sft.jsonl" --eval "$D/long.jsonl" -o "$D/x.mote"
"$B/mote-train" sft "$D/dynamic.mote" --data "$D/sft.jsonl" $short --eval "$D/long.jsonl" --max-length 512 -o "$D/dy.mote" \
	2>/dev/null || fail "records within the original context are refused"
expect 4 'not finite' "$B/mote-train" sft "$D/f.mote" --data "$D/sft.jsonl" $short --lr 1e30 --epochs 6 -o "$D/x.mote"
[ ! -e "$D/x.mote" ] || fail "a refused training left a file"
echo "1 passed, 0 failed"
