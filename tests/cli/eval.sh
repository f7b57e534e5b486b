# mote-eval on the fixture: the log agrees with what is printed, threads and company change nothing, a constant answer
# and chance stand beside scores, pairs with a reference, and refusals.
. tests/strict.sh

"$B/mote-convert" $F -o "$D/f.mote" >/dev/null 2>&1
"$B/mote-quantize" "$D/f.mote" -o "$D/q.mote" --type q3 --tensor '*=q3' --encoder round --no-validate >/dev/null 2>&1

# Multiple choice: many lengths, some choices alike, one a beginning of another.
i=0
while [ $i -lt 60 ]; do
	i=$((i + 1))
	pad=$(printf "%$((i % 23))s" '' | tr ' ' x)
	echo "{\"id\":\"$i\",\"question\":{\"stem\":\"What is $i + $((i % 7))? $pad\",\"choices\":[{\"text\":\"$((i + i % 7))\",\"label\":\"A\"},{\"text\":\"$((i + i % 7))0\",\"label\":\"B\"},{\"text\":\"no idea, $pad\",\"label\":\"C\"}]},\"answerKey\":\"$(echo ABC | cut -c $((i % 3 + 1)))\"}"
done >"$D/arc.jsonl"
echo "passage" | awk '{ for (i = 0; i < 30; i++) printf "{\"passage\":\"A %d\",\"question\":\"is it %d\",\"label\":\"%s\"}\n", i, i, i % 3 ? "true" : "false" }' >"$D/boolq.jsonl"
"$B/mote-eval" "$D/q.mote" --reference "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --task boolq="$D/boolq.jsonl" \
	-t 1 --json \
	--log "$D/log" >"$D/a"
"$B/mote-eval" "$D/q.mote" --reference "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --task boolq="$D/boolq.jsonl" \
	-t 3 --json \
	--log "$D/log3" >"$D/b"
cmp "$D/a" "$D/b" && cmp "$D/log" "$D/log3" || fail "threads change results"
[ "$(wc -l <"$D/log")" = 180 ] || fail "$(wc -l <"$D/log") lines of log"
python3 - "$D" <<'END' || fail "results"
import json, sys
folder = sys.argv[1]
results = json.load(open(folder + "/a"))["results"]
lines = [json.loads(x) for x in open(folder + "/log")]
assert len(results) == 4
for r in results:
    mine = [x for x in lines if x["task"] == r["task"] and r["model"].endswith(x["model"])]
    assert len(mine) == r["items"]
    for x in mine:
        sums = [c["logprob"] for c in x["choices"]]
        assert x["choice"] == sums.index(max(sums)) and all(c["tokens"] > 0 for c in x["choices"])
    right = sum(x["choice"] == x["gold"] for x in mine)
    p = right / len(mine)
    assert r["metrics"]["acc"]["value"] == p
    assert abs(r["metrics"]["acc"]["stderr"] - (p * (1 - p) / (len(mine) - 1)) ** .5) < 1e-12
arc, boolq = [r for r in results if r["model"].endswith("f.mote")]
assert abs(arc["chance"] - 1 / 3) < 1e-12 and boolq["chance"] == 0.5 and "paired" not in arc
assert boolq["best_constant"] == {"value": 20 / 30, "answer": "yes"}
q = [r for r in results if "paired" in r]
assert len(q) == 2
for r in q:
    of = lambda model: [x["choice"] == x["gold"] for x in lines if x["task"] == r["task"] and x["model"] == model]
    now, before = of("q.mote"), of("f.mote")
    assert r["paired"]["to_wrong"] == sum(b and not n for n, b in zip(now, before))
    assert r["paired"]["to_right"] == sum(n and not b for n, b in zip(now, before))
END

# The page: well-formed, alone, and with every figure of the JSON; the receipts: what inspect shows, and one a task
# however often.
cp "$D/q.mote" "$D/stamped.mote"
for again in 1 2; do
	"$B/mote-eval" "$D/stamped.mote" --reference "$D/f.mote" --task arc_challenge="$D/arc.jsonl" \
		--task boolq="$D/boolq.jsonl" --json --stamp \
		--report "$D/<page>.html" --force >"$D/b"
done
python3 - "$D" <<'END' || fail "report"
import html.parser, json, sys
folder = sys.argv[1]
page = open(folder + "/<page>.html", encoding="utf-8").read()
results = json.load(open(folder + "/b"))
class Reader(html.parser.HTMLParser):
    open, text = [], ""
    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img", "iframe") and not any("//" in (v or "") for _, v in attributes)
        if tag not in ("meta", "line", "circle", "rect", "th"):
            self.open.append(tag)
    def handle_startendtag(self, tag, attributes): pass
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
    def handle_data(self, data): self.text += data
reader = Reader()
reader.feed(page)
assert not reader.open
for r in results["results"]:
    for m in r["metrics"].values():
        assert "%.2f" % (100 * m["value"]) in reader.text and "%.2f" % (100 * m["stderr"]) in reader.text
    if "paired" in r:
        assert "%.3g" % r["paired"]["p"] in reader.text
first = [r for r in results["results"] if r["model"].endswith("stamped.mote")]
[average] = [a for a in results["averages"] if a["model"].endswith("stamped.mote")]
rates = [list(r["metrics"].values())[0] for r in first]
assert average["tasks"] == 2 and abs(average["value"] - sum(x["value"] for x in rates) / 2) < 1e-15
assert abs(average["stderr"] - sum(x["stderr"] ** 2 for x in rates) ** .5 / 2) < 1e-15
END
# A model beside itself is two.
"$B/mote-eval" "$D/f.mote" --reference "$D/f.mote" --task boolq="$D/boolq.jsonl" --limit 3 --report "$D/twice.html" >/dev/null
grep -q '<h1>What 2 models can do' "$D/twice.html" && grep -q '(reference)' "$D/twice.html" &&
	[ "$(grep -c '<h2>boolq' "$D/twice.html")" = 1 ] || fail "a model beside itself"
"$B/mote-inspect" "$D/stamped.mote" --json >"$D/facts"
"$B/mote-inspect" "$D/stamped.mote" >"$D/listing"
python3 - "$D" <<'END' || fail "receipts"
import json, sys
folder = sys.argv[1]
receipts = json.load(open(folder + "/facts"))["receipts"]
results = [r for r in json.load(open(folder + "/b"))["results"] if r["model"].endswith("stamped.mote")]
listing = open(folder + "/listing").read()
assert len(receipts) == len(results) == 2
for receipt, result in zip(receipts, results):
    e = receipt["evaluation"]
    assert receipt["reference"]["tensors"] and e["limit"] == 0
    for key in "task", "files_xxh3", "items", "few_shot", "chat", "metrics", "chance", "best_constant", "paired":
        assert e[key] == result[key], key
    assert result["files_xxh3"] in listing and "%.2f ± %.2f %%" % tuple(100 * result["metrics"]["acc"][k] for k in ("value", "stderr")) in listing
END
"$B/mote-inspect" "$D/stamped.mote" --verify >/dev/null || fail "a stamped file does not verify"
"$B/mote-inspect" "$D/f.mote" | grep -q 'evaluated on *"arc_challenge"' || fail "no receipt in the reference"
expect 2 '--merge takes parts alone' "$B/mote-eval" --merge --stamp "$D/part"
# Where no receipt can be written, in a file that is not there any more, results are seen all the same.
for tool in "mote-eval --task boolq=$D/boolq.jsonl" "mote-perplexity -f tests/fixtures/adder/heldout.txt --chunks 2"; do
	cp "$D/q.mote" "$D/gone.mote"
	exec 3<"$D/gone.mote"
	rm "$D/gone.mote"
	expect 2 "link to what is no file" "$B"/$tool --stamp --json /proc/self/fd/3
	exec 3<&-
	grep -q '^{"' "$D/out" || fail "$tool: what was measured is lost where no receipt can be written"
done

# What is wrong with the last model is found out before the first is run, which here fails in the end.
cp -r tests/fixtures/adder "$D/plain"
rm "$D/plain/chat_template.jinja"
"$B/mote-convert" "$D/plain" -o "$D/plain.mote" >/dev/null 2>&1
printf '{"name":"slow","kind":"answer","context":"What is 3 + 4?","gold":"{g}","ignore":["(?s)(.|..)+(?!)"]}' >"$D/slow.json"
echo '{"g":"7"}' >"$D/slow.jsonl"
expect 3 'f.mote, task slow: .*takes too long' "$B/mote-eval" "$D/f.mote" --task "$D/slow.json=$D/slow.jsonl" --chat
expect 1 'none.mote: cannot open' "$B/mote-eval" "$D/f.mote" "$D/none.mote" --task "$D/slow.json=$D/slow.jsonl" --chat
expect 2 'plain.mote, task slow: .*no chat template' "$B/mote-eval" "$D/f.mote" "$D/plain.mote" \
	--task "$D/slow.json=$D/slow.jsonl" --chat

# An item alone is what it is in company: bits of its log-probabilities.
sed -n 37p "$D/arc.jsonl" >"$D/one.jsonl"
"$B/mote-eval" "$D/q.mote" --task arc_challenge="$D/one.jsonl" --log "$D/alone" >/dev/null
grep '"model":"q.mote".*"id":"37"' "$D/log" | grep arc_challenge >"$D/company"
cmp "$D/alone" "$D/company" || fail "company changes an item"

# Requests without running anything; examples; the chat template.
"$B/mote-eval" "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --print-requests 4 >"$D/requests"
python3 - "$D" <<'END' || fail "requests"
import json, sys
r = json.load(open(sys.argv[1] + "/requests"))
assert [(x["id"], x["choice"]) for x in r] == [("1", 0), ("1", 1), ("1", 2), ("2", 0)]
assert r[0]["context"] == "Question: What is 1 + 1? x\nAnswer:" and r[0]["continuation"] == " 2" and r[0]["continuation_ids"]
END
sed 's/37 + 2/37 + 9/' "$D/one.jsonl" >"$D/shot.jsonl"
"$B/mote-eval" "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --print-requests 1 --few-shot 1 \
	--shots arc_challenge="$D/shot.jsonl" |
	grep -q '"context":"Question: What is 37 + 9? xxxxxxxxxxxxxx\\nAnswer: 390\\n\\nQuestion: What is 1' ||
	fail "examples"
"$B/mote-eval" "$D/f.mote" --task boolq="$D/boolq.jsonl" --print-requests 1 --chat | grep -q '"continuation":"no"' ||
	fail "chat"

# White space at a context's end goes to the continuation, whichever it is.
printf '{"name":"ends","kind":"choice","context":"{q}","choices":["a","b"],"gold":"{g}"}' >"$D/ends.json"
printf '{"q":"What is\\u2003\\n","g":"0"}' >"$D/ends.jsonl"
"$B/mote-eval" "$D/f.mote" --task "$D/ends.json=$D/ends.jsonl" --print-requests 1 | python3 -c '
import json, sys
[r] = json.load(sys.stdin)
assert r["continuation"] == "\u2003\n a", r' || fail "white space at a context's end"

# A tokenizer that puts a token behind every text: not behind one that is gone on with.
mkdir "$D/ends"
cp $F/*.json $F/*.jinja $F/model.safetensors "$D/ends"
sed 's|"post_processor": null|"post_processor": {"type": "RobertaProcessing", "cls": ["<\|im_start\|>", 1], "sep": ["<\|im_end\|>", 2]}|' \
	$F/tokenizer.json >"$D/ends/tokenizer.json"
"$B/mote-convert" -q "$D/ends" -o "$D/ends.mote"
[ "$("$B/mote-tokenize" "$D/ends.mote" --add-special -p '' | tr -d '\n')" = "1 2" ] || fail "no tokens around a text"
"$B/mote-eval" "$D/ends.mote" --task arc_challenge="$D/arc.jsonl" --print-requests 4 | sed 's/"context_ids":\[1,/"context_ids":[/g' |
	cmp - "$D/requests" || fail "an end stands within the requests"
"$B/mote-run" "$D/ends.mote" --raw -p "What is" -n 1 2>&1 | grep -q '\[prompt 3 tokens' || fail "an end before the answer"

# Generated answers.
for i in 1 2 3 4 5 6; do
	printf '{"question":"What is %d + 4?","answer":"It is.\\n#### %d"}\n' $i $((i + 4))
done >"$D/gsm8k.jsonl"
"$B/mote-eval" "$D/f.mote" --task gsm8k="$D/gsm8k.jsonl" --chat --max-tokens 96 --json --log "$D/answers" >"$D/a"
"$B/mote-eval" "$D/f.mote" --task gsm8k="$D/gsm8k.jsonl" --chat --max-tokens 96 --json -t 1 >"$D/b"
cmp "$D/a" "$D/b" || fail "threads change answers"
grep -q '"strict":.*"flexible":.*"strict_stripped":.*"flexible_stripped":' "$D/a" || fail "metrics: $(cat "$D/a")"
[ "$(grep -c '"answer_stripped"' "$D/answers")" = 6 ] || fail "answers: $(cat "$D/answers")"

"$B/mote-eval" "$D/f.mote" --task gsm8k="$D/gsm8k.jsonl" --print-requests 1 2>&1 >/dev/null |
	grep -q 'gsm8k without examples, where 5 are usual' ||
	fail "no word about examples"
[ -z "$("$B/mote-eval" "$D/f.mote" --task gsm8k="$D/gsm8k.jsonl" --zero-shot --print-requests 1 2>&1 >/dev/null)" ] ||
	fail "words"

# Instructions: shares of prompts and of instructions are what the log says; damaged ones are refused.
cat >"$D/ifeval.jsonl" <<'END'
{"key":7,"prompt":"What is 3 + 4? No comma.","instruction_id_list":["punctuation:no_comma"],"kwargs":[{}]}
{"key":8,"prompt":"What is 5 + 4?","instruction_id_list":["startend:quotation","length_constraints:number_words"],"kwargs":[{},{"relation":"less than","num_words":500}]}
{"key":9,"prompt":"What is 5 + 8?","instruction_id_list":["language:response_language"],"kwargs":[{"language":"en"}]}
END
"$B/mote-eval" "$D/f.mote" --task ifeval="$D/ifeval.jsonl" --chat --max-tokens 160 --json --log "$D/followed" >"$D/a"
"$B/mote-eval" "$D/f.mote" --task ifeval="$D/ifeval.jsonl" --chat --max-tokens 160 --json -t 1 | cmp - "$D/a" ||
	fail "threads change instructions"
python3 - "$D" <<'END' || fail "instructions"
import json, sys
[result] = json.load(open(sys.argv[1] + "/a"))["results"]
lines = [json.loads(x) for x in open(sys.argv[1] + "/followed")]
assert [x["id"] for x in lines] == ["7", "8", "9"] and [len(x["instructions"]) for x in lines] == [1, 2, 1]
assert lines[1]["instructions"][1] == {"kind": "length_constraints:number_words", "strict": True, "loose": True,
                                       "strict_stripped": True, "loose_stripped": True}
assert lines[2]["instructions"][0]["approximate"]
assert result["best_constant"]["value"] == 1 and result["best_constant"]["answer"].startswith('"<<the>>')
m = result["metrics"]
for rule in "strict", "loose", "strict_stripped", "loose_stripped":
    marks = [[i[rule] for i in x["instructions"]] for x in lines]
    assert m["prompt_" + rule]["value"] == sum(map(all, marks)) / 3
    share = m["instruction_" + rule]["value"]
    assert share == sum(map(sum, marks)) / 4
    error = (3 / 2 * sum((sum(x) - share * len(x)) ** 2 for x in marks)) ** .5 / 4
    assert abs(m["instruction_" + rule]["stderr"] - error) < 1e-12
END

# Examples that are drawn: by the seed, different ones of the item's group, another draw for another item.
"$B/mote-eval" "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --shots arc_challenge="$D/arc.jsonl" --few-shot 5 \
	--seed 7 --print-requests 30 >"$D/a"
"$B/mote-eval" "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --shots arc_challenge="$D/arc.jsonl" --few-shot 5 \
	--seed 7 --print-requests 30 |
	cmp - "$D/a" || fail "one seed, two draws"
"$B/mote-eval" "$D/f.mote" --task arc_challenge="$D/arc.jsonl" --shots arc_challenge="$D/arc.jsonl" --few-shot 5 \
	--seed 8 --print-requests 30 |
	cmp -s - "$D/a" && fail "two seeds, one draw"
python3 - "$D" <<'END' || fail "draws"
import json, sys
shots = [r["context"].split("\n\n") for r in json.load(open(sys.argv[1] + "/a"))[::3]]
assert all(len(x) == 6 and len(set(x[:5])) == 5 for x in shots)
assert not any(x[5] + y[len(x[5]):] == y for x in shots for y in x[:5])
assert len({tuple(x[:5]) for x in shots}) == len(shots) == 10 and len({y for x in shots for y in x[:5]}) > 20
END

# Tasks of one's own: the documented example does what the page says.
awk -v folder="$D" '/^<!-- file: / { name = $3; next } /^```json/ && name { inside = 1; next } /^```/ && inside { inside = 0; name = "" }
	inside { print >(folder "/" name) }' docs/evaluation.md
"$B/mote-eval" "$D/f.mote" --task "$D/capitals.json=$D/capitals.jsonl" --task "$D/sums.json=$D/sums.jsonl" --chat \
	--json --log "$D/own" >"$D/a"
"$B/mote-eval" "$D/f.mote" "$D/q.mote" --task "$D/capitals.json=$D/capitals.jsonl" --json --report "$D/groups.html" \
	>"$D/b"
python3 - "$D" <<'END' || fail "groups on the page"
import html.parser, json, sys
class Tables(html.parser.HTMLParser): # [table][row][cell], texts
    tables = []
    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            assert not dict(attributes).get("colspan")
            self.tables[-1][-1].append("")
    def handle_data(self, data):
        if self.tables and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data
reader = Tables()
reader.feed(open(sys.argv[1] + "/groups.html", encoding="utf-8").read())
assert len(reader.tables) >= 2 and all(len({len(row) for row in table}) == 1 for table in reader.tables), reader.tables
[table] = [t for t in reader.tables if t[0][0] == "group"]
results = json.load(open(sys.argv[1] + "/b"))["results"]
assert [x.strip() for x in table[0]] == ["group", "items", "f.mote", "q.mote"], table
rate = lambda x: "%.2f" % (100 * x["value"])
assert [x.split()[0] for x in table[1][2:]] == [rate(r["macro"]) for r in results], table
for row, of in zip(table[2:], zip(*(r["groups"] for r in results))):
    assert row[:2] == [of[0]["group"], "%d" % of[0]["items"]], row
    assert [x.split()[0] for x in row[2:]] == [rate(g["acc_norm"]) for g in of], row
END
python3 - "$D" <<'END' || fail "own tasks: $(cat "$D/own")"
import json, sys
capitals, sums = json.load(open(sys.argv[1] + "/a"))["results"]
lines = [json.loads(x) for x in open(sys.argv[1] + "/own")]
assert list(capitals["metrics"]) == ["acc_norm", "acc", "acc_bytes"] and capitals["items"] == 3 and capitals["chance"] == 0.5
assert [(g["group"], g["items"]) for g in capitals["groups"]] == [("Asia", 2), ("Africa", 1)]
assert [(x["id"], x["gold"]) for x in lines[:3]] == [("1", 1), ("2", 0), ("3", 1)]
assert all(x["choice"] == x["choice_norm"] for x in lines[:3])
assert list(sums["metrics"]) == ["last_number", "sentence", "last_number_stripped", "sentence_stripped"]
assert sums["metrics"]["last_number_stripped"]["value"] == 1.0 # the fixture adds
END
expect 2 'there are 0 of Africa besides item 3 itself' "$B/mote-eval" "$D/f.mote" \
	--task "$D/capitals.json=$D/capitals.jsonl" --few-shot 1 --shots capitals="$D/capitals.jsonl"
{ cat "$D/capitals.jsonl" && sed -n 's/Kenya/Ghana/p' "$D/capitals.jsonl"; } >"$D/shots.jsonl"
"$B/mote-eval" "$D/f.mote" --task "$D/capitals.json=$D/capitals.jsonl" --few-shot 1 \
	--shots capitals="$D/shots.jsonl" --print-requests 1 |
	grep -q '"Question: What is the capital of China?\\nAnswer: Beijing\\n\\nQuestion: What is the capital of Japan?' || fail "own examples"
"$B/mote-eval" "$D/f.mote" --reference "$D/f.mote" --task "$D/capitals.json=$D/capitals.jsonl" \
	--task "$D/sums.json=$D/sums.jsonl" --max-tokens 2 >"$D/a"
[ "$(grep -o '(p = 1), .* 100.00 %' "$D/a" | tr '\n' ,)" = "(p = 1), the same answer to 100.00 %,(p = 1), as right as it in 100.00 %," ] ||
	fail "what agrees: $(cat "$D/a")"
# a text that ends an answer does not end its reasoning
sed 's/"max_tokens": 120,/"max_tokens": 120, "until": ["ones", " = 7", " = 42"],/' "$D/sums.json" >"$D/until.json"
"$B/mote-eval" "$D/f.mote" --task "$D/until.json=$D/sums.jsonl" --chat --log "$D/until" >/dev/null
python3 - "$D" <<'END' || fail "texts that end an answer: $(cat "$D/until")"
import json, sys
lines = [json.loads(x) for x in open(sys.argv[1] + "/until")]
assert [x["answer"] for x in lines] == ["\nAdd 3 and 4.\n0 0 3\n0 0 4\n", "\nAdd 12 and 30.\n0 1 2\n0 3 0\n"]
assert [x["answer_stripped"] for x in lines] == ["3 + 4", "12 + 30"]
END
sed 's/"context": .*/"context": " ",/' "$D/capitals.json" >"$D/bad.json"
expect 3 'item 1: the context is empty' "$B/mote-eval" "$D/f.mote" --task "$D/bad.json=$D/capitals.jsonl"
sed 's/"right": "b"/"right": "c"/' "$D/capitals.jsonl" >"$D/bad.jsonl"
printf '\n{"question": }\n' >"$D/broken.jsonl"
expect 3 'broken.jsonl: line 2, column 14: expected a value' "$B/mote-eval" "$D/f.mote" --task "$D/capitals.json=$D/broken.jsonl"
expect 3 'bad.jsonl, line 1: the answer "c" is none' "$B/mote-eval" "$D/f.mote" --task "$D/capitals.json=$D/bad.jsonl"
sed 's/"acc_norm"/"f1"/' "$D/capitals.json" >"$D/bad.json"
expect 3 'bad.json, line 10, field "metric": expected' "$B/mote-eval" "$D/f.mote" --task "$D/bad.json=$D/capitals.jsonl"
expect 1 'No such file' "$B/mote-eval" "$D/f.mote" --task "$D/none.json=$D/capitals.jsonl"

# Refusals.
for shots in arc=one.jsonl arc_challenge=arc.jsonl; do # another name, and a second file
	expect 2 "--shots ${shots%%=*}=.*: expected a task's name, once" "$B/mote-eval" "$D/f.mote" \
		--task arc_challenge="$D/arc.jsonl" --shots arc_challenge="$D/one.jsonl" --shots "${shots%%=*}=$D/${shots#*=}"
done
expect 2 'ifeval takes no examples' "$B/mote-eval" "$D/f.mote" --task ifeval="$D/ifeval.jsonl" --few-shot 1
sed 's/less than/fewer/' "$D/ifeval.jsonl" >"$D/bad.jsonl"
expect 3 'bad.jsonl, line 2: "kwargs", element 2 (length_constraints:number_words), "relation": expected' \
	"$B/mote-eval" "$D/f.mote" --task ifeval="$D/bad.jsonl"
expect 2 'no task is called "arc"' "$B/mote-eval" "$D/f.mote" --task arc="$D/arc.jsonl"
expect 2 'expected NAME=PATH' "$B/mote-eval" "$D/f.mote" --task arc_challenge
expect 2 'give a task' "$B/mote-eval" "$D/f.mote"
expect 2 'models' "$B/mote-eval" --task boolq="$D/boolq.jsonl"
expect 2 'exists already' "$B/mote-eval" "$D/f.mote" --task boolq="$D/boolq.jsonl" --log "$D/log"
expect 1 'No such file' "$B/mote-eval" "$D/f.mote" --task boolq="$D/nothing"
expect 2 'take 3 examples from; name their file with --shots boolq=FILE' "$B/mote-eval" "$D/f.mote" --task boolq="$D/boolq.jsonl" --few-shot 3
expect 2 "--few-shot and --zero-shot exclude each other" "$B/mote-eval" "$D/f.mote" --task boolq="$D/boolq.jsonl" --few-shot 3 \
	--zero-shot
{ cat "$D/boolq.jsonl"; echo '{"passage":"p","question":"q","label":"maybe"}'; } >"$D/bad.jsonl"
expect 3 'bad.jsonl, line 31: the answer "maybe" is none of the choices' "$B/mote-eval" "$D/f.mote" \
	--task boolq="$D/bad.jsonl" \
	--log "$D/none"
[ ! -e "$D/none" ] || fail "a log of nothing"
