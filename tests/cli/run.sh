#!/bin/sh
# mote-run on our own trained model: it answers and reasons, a seed repeats, what it prints agrees with itself
# across threads, pages and caches, and wrong usage has exit code 2.
. tests/script.sh
run=$build/mote-run

same() { if cmp -s "$1" "$2"; then ok; else bad "$1 and $2 differ: $3"; fi; }
# the JSON output without what may differ from run to run
stable() { sed 's/,"seed":[0-9]*//; s/,"timings":{[^}]*}//' "$1"; }

"$build/mote-convert" tests/fixtures/adder -o "$work/m.mote" >/dev/null || exit 1
m=$work/m.mote
question="What is 27 + 48?"

# Text: the reasoning under its heading, the answer under its own, the speed on standard error.
expect 0 "$run" "$m" -p "$question" --temp 0
has "$work/out" '^\[reasoning\]$'
has "$work/out" '^\[answer\]$'
has "$work/out" '75'
has "$work/err" 'tokens/s'
expect 0 "$run" "$m" -p "$question" -n 1
has "$work/err" 'answer 1 tokens; load' # which comes with the prompt: no time of its own, so no speed
expect 0 "$run" "$m" -p "$question" -n 3 -q
if [ -s "$work/err" ]; then bad "--quiet: $(cat "$work/err")"; else ok; fi
expect 0 "$run" "$m" -p "$question" --temp 0 --hide-reasoning
if grep -q 'ones:' "$work/out"; then bad "reasoning was shown"; else ok; fi

# As llama.cpp's tools spell it.
cp "$work/out" "$work/plain"
expect 0 "$run" -m "$m" -p "$question" --temp 0 --hide-reasoning
same "$work/plain" "$work/out" "-m"
expect 2 "$run" -m "$m" "$m" -p "$question"
expect 0 "$run" -m "$m" --help
has "$work/out" '^Usage: mote-run'

# JSON: one object, and the same whatever computes it.
expect 0 "$run" "$m" -p "$question" --temp 0 --json --logits 3
for key in '"text":"[^"]*75' '"reasoning":"[^"]*ones' '"ids":\[' '"prompt_ids":\[' '"finish_reason":"stop"' '"timings":{' \
	'"logits":\[{"id":'; do
	has "$work/out" "$key"
done
if [ "$(wc -l <"$work/out")" -eq 1 ]; then ok; else bad "JSON is not one line"; fi
# as many ids as were counted, and the first is the likeliest
count() { sed "s/.*\"$1\":\[\([^]]*\)\].*/\1/" "$work/out" | tr ',' '\n' | wc -l; }
has "$work/out" "\"prompt_tokens\":$(count prompt_ids),"
has "$work/out" "\"predicted_tokens\":$(count ids),"
first=$(sed 's/.*"ids":\[\([0-9]*\),.*"logits":.*/\1/' "$work/out")
has "$work/out" "\"logits\":\[{\"id\":$first,"
stable "$work/out" >"$work/reference"
for options in '-t 1' '-t 5' '--mmap' '-c 200' '--seed 7'; do
	# shellcheck disable=SC2086
	expect 0 "$run" "$m" -p "$question" --temp 0 --json --logits 3 $options
	stable "$work/out" >"$work/other"
	same "$work/reference" "$work/other" "$options"
done
for isa in scalar avx2 avx512; do
	if MOTE_ISA=$isa "$run" "$m" -p "$question" --temp 0 --json --logits 3 >"$work/out" 2>"$work/err"; then
		stable "$work/out" >"$work/other"
		same "$work/reference" "$work/other" "$isa"
	else # this machine has none, which is said
		has "$work/err" "$isa"
	fi
done
printf '%s' "$question" >"$work/question"
expect 0 "$run" "$m" -f "$work/question" --temp 0 --json --logits 3
stable "$work/out" >"$work/other"
same "$work/reference" "$work/other" "the prompt from a file"
"$run" "$m" --temp 0 --json --logits 3 <"$work/question" >"$work/out" 2>/dev/null
stable "$work/out" >"$work/other"
same "$work/reference" "$work/other" "the prompt from standard input"
for cache in 'q8 q8' 'f32 f32' 'f16 q8_0'; do
	expect 0 "$run" "$m" -p "$question" --temp 0 -ctk "${cache% *}" --cache-type-v "${cache#* }"
	has "$work/out" '75'
done

# A seed repeats an answer; another one gives another.
expect 0 "$run" "$m" --raw -p "A" --temp 2 --top-p 1 -n 40 --seed 1 --json
stable "$work/out" >"$work/seed1"
expect 0 "$run" "$m" --raw -p "A" --temp 2 --top-p 1 -n 40 --seed 1 -t 1 --json
stable "$work/out" >"$work/other"
same "$work/seed1" "$work/other" "the same seed"
MOTE_ISA=scalar "$run" "$m" --raw -p "A" --temp 2 --top-p 1 -n 40 --seed 1 --json >"$work/out" 2>/dev/null
stable "$work/out" | sed 's/"isa":"[a-z0-9]*"//' >"$work/other"
same "$work/seed1" "$work/other" "the same seed with the scalar kernels"
expect 0 "$run" "$m" --raw -p "A" --temp 2 --top-p 1 -n 40 --seed 2 --json
stable "$work/out" >"$work/other"
if cmp -s "$work/seed1" "$work/other"; then bad "seeds 1 and 2 give the same text"; else ok; fi

# Not 0 but any seed: what is printed repeats. The largest one is the same in JSON.
expect 0 "$run" "$m" --raw -p "A" --temp 2 -n 5 --seed -1 --json
expect 0 "$run" "$m" --raw -p "A" --temp 2 -n 5 --seed 9007199254740992 --json
has "$work/out" '"seed":9007199254740992,'

# One newline at a prompt's end is not part of it; a second one is, and what a file begins with.
ids() { sed 's/.*"prompt_ids":\[\([^]]*\)\].*/\1/' "$work/out"; }
expect 0 "$run" "$m" --raw -p "abc" --temp 0 -n 1 --json
plain=$(ids)
printf 'abc\n' >"$work/line"
expect 0 "$run" "$m" --raw -f "$work/line" --temp 0 -n -1 -c 40 --json
if [ "$(ids)" = "$plain" ]; then ok; else bad "a file's last newline is in the prompt: $(ids), not $plain"; fi
"$run" "$m" --raw --temp 0 -n 1 --json <"$work/line" >"$work/out" 2>"$work/err"
if [ "$(ids)" = "$plain" ]; then ok; else bad "a pipe's last newline is in the prompt: $(ids), not $plain"; fi
printf 'abc\n\n' >"$work/line"
expect 0 "$run" "$m" --raw -f "$work/line" --temp 0 -n 1 --json
if [ "$(ids)" != "$plain" ]; then ok; else bad "two newlines are lost"; fi
# With a prompt standard input is not read, which is said when something is there.
"$run" "$m" -p "$question" --temp 0 <"$work/line" >"$work/out" 2>"$work/err"
has "$work/err" 'standard input was not read'
expect 0 "$run" "$m" -p "$question" --temp 0
if grep -q 'not read' "$work/err"; then bad "an empty standard input is missed"; else ok; fi

# What ends an answer.
expect 0 "$run" "$m" -p "$question" --temp 0 -n 5 --json
has "$work/out" '"finish_reason":"length"'
expect 0 "$run" "$m" -p "$question" --temp 0 -c 60 --json
has "$work/out" '"finish_reason":"length"'
expect 2 "$run" "$m" -p "$question" -c 20
has "$work/err" 'context of 20'

expect 0 "$run" "$m" -p "$question" --temp 0 --json --stop 'so far' --stop ' = 75'
has "$work/out" '"text":"[^"]*27 + 48"'
has "$work/out" '"finish_reason":"stop"'
expect 0 "$run" "$m" -p "$question" --temp 0 --json --stop-id '</think>'
has "$work/out" '"text":""'
expect 0 "$run" "$m" -p "$question" --temp 0 --json --stop-id 65
for carry in 'Ġcarry' ' carry'; do
	expect 0 "$run" "$m" -p "$question" --temp 0 --json --stop-id "$carry"
	has "$work/out" '"reasoning":"[^"]*write 5, carry"'
done
expect 0 "$run" "$m" -p "$question" --temp 0 --json --ignore-eos -n 200
has "$work/out" '"finish_reason":"length"'
expect 0 "$run" "$m" -p "$question" --temp 0 --json --reasoning-budget 1
has "$work/out" '"finish_reason"'
expect 2 "$run" "$m" -p "$question" --stop-id 'no such token'
expect 2 "$run" "$m" -p "$question" --stop-id 1000000
expect 2 "$run" "$m" -p "$question" --stop ''
# What generation_config.json asks for, and what it cannot have.
cp -r tests/fixtures/adder "$work/asking"
printf '%s' '{"do_sample":false,"max_new_tokens":300,"repetition_penalty":1.0,"stop_strings":[" = 75"],"num_beams":4,"top_k":1}' \
	>"$work/asking/generation_config.json"
expect 0 "$build/mote-convert" -q "$work/asking" -o "$work/asking.mote"
has "$work/err" 'not honoured: num_beams$'
expect 0 "$run" "$work/asking.mote" -p "$question" --json
has "$work/out" '"text":"[^"]*27 + 48"'
cp "$work/out" "$work/first"
printf '%s' '{"max_new_tokens":3}' >"$work/asking/generation_config.json"
# A config that names another end than the template's: both are ends.
sed 's/"eos_token_id": *[0-9]*/"eos_token_id": 0/' tests/fixtures/adder/config.json >"$work/asking/config.json"
expect 0 "$build/mote-convert" -q --force "$work/asking" -o "$work/asking.mote"
has "$work/err" 'the chat template ends a turn with <|im_end|>'
expect 0 "$run" "$work/asking.mote" -p "$question" --temp 0 --json
has "$work/out" '"finish_reason":"length"'
has "$work/out" '"predicted_tokens":3'
expect 0 "$run" "$work/asking.mote" -p "$question" --temp 0 --json -n -1
has "$work/out" '75'
has "$work/out" '"finish_reason":"stop"'

# Reasoning that the template opens, with white space behind the tag.
printf '%s' '{{ "<think>\n\n" }}' >>"$work/asking/chat_template.jinja"
expect 0 "$build/mote-convert" -q --force "$work/asking" -o "$work/asking.mote"
expect 0 "$run" "$work/asking.mote" -p "$question" --temp 0 --json -n 5
has "$work/out" '"text":"","reasoning":"[^"]'

# A user's text never becomes a control token.
expect 0 "$run" "$m" -p '</think><|im_end|>' --temp 0 -n 1 --json
sed 's/.*"prompt_ids":\[\([^]]*\)\].*/\1/' "$work/out" | tr ',' '\n' >"$work/ids"
expect 0 "$run" "$m" -p 'x' --temp 0 -n 1 --json
sed 's/.*"prompt_ids":\[\([^]]*\)\].*/\1/' "$work/out" | tr ',' '\n' >"$work/plain"
if [ "$(grep -c '^2$' "$work/ids")" -eq "$(grep -c '^2$' "$work/plain")" ]; then ok; else bad "<|im_end|> from a user is a control token"; fi

# Guesses change nothing but the time.
for sampling in '--temp 0' '--temp 0.7 --seed 5'; do
	# shellcheck disable=SC2086
	expect 0 "$run" "$m" -p "$question" $sampling -n 300 --ignore-eos --json --no-lookup
	has "$work/out" '"guessed_tokens":0,'
	cp "$work/out" "$work/plain"
	# shellcheck disable=SC2086
	expect 0 "$run" "$m" -p "$question" $sampling -n 300 --ignore-eos --json
	has "$work/out" '"guessed_right":[1-9]'
	if [ "$(sed 's/"finish_reason".*//' "$work/out")" = "$(sed 's/"finish_reason".*//' "$work/plain")" ]; then ok; else
		bad "lookup changed an answer ($sampling)"
	fi
done

expect 0 "$run" --help
expect 0 "$run" --version
expect 2 "$run"
expect 2 "$run" "$m" --none
expect 2 "$run" "$m" -p x -f "$work/question"
for option in '-s x' "--chat-template-file $work/question" '--chat-template-kwargs {}'; do
	# shellcheck disable=SC2086
	expect 2 "$run" "$m" -p x --raw $option
	has "$work/err" '--raw knows no template'
done
echo '{% for' >"$work/broken.jinja"
expect 3 "$run" "$m" -p x --chat-template-file "$work/broken.jinja"
has "$work/err" '/broken.jinja: chat template: line 1'
expect 2 "$run" "$m" --raw -s y -p x
expect 2 "$run" "$m" --raw -p ''
for wrong in '--temp x' '--temp -1' '--top-p 2' '--top-k -2' '--min-p 1.5' '-n 0' '-c 0' '-c 1000000' '-n -2' '-t 0' '-t 257' '-ctk q3' '--seed -2' \
	'--seed 9007199254740993'; do
	# shellcheck disable=SC2086
	expect 2 "$run" "$m" -p x $wrong
done
# Structured output: behind a thought that is free, the answer is what the schema or the grammar says.
echo '{"type":"object","properties":{"sum":{"type":"integer","minimum":10,"maximum":99},"done":{"type":"boolean"}},
	"required":["sum"]}' >"$work/schema"
for seed in 1 2 3; do
	expect 0 "$run" "$m" -p "$question" --temp 1.5 --top-p 1 --seed $seed --json-schema "$work/schema" \
		--think-budget 20 --json
	if python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
v = json.loads(r["text"])
sys.exit(not (10 <= v["sum"] <= 99 and set(v) <= {"sum", "done"} and r["reasoning"] and r["finish_reason"] == "stop"))' \
		"$work/out"; then ok; else bad "not of the schema:"; cat "$work/out"; fi
done
stable "$work/out" >"$work/seed3"
expect 0 "$run" "$m" -p "$question" --temp 1.5 --top-p 1 --seed 3 --json-schema "$work/schema" --think-budget 20 \
	--json -t 1
stable "$work/out" >"$work/other"
same "$work/seed3" "$work/other" "a schema on one thread"
printf 'root ::= "It is " [0-9]+ "." | "I do not know."\n' >"$work/gbnf"
expect 0 "$run" "$m" -p "$question" --temp 0 --grammar "$work/gbnf" --hide-reasoning
has "$work/out" '^It is [0-9]*\.$\|^I do not know\.$'
expect 2 "$run" "$m" -p x --grammar "$work/gbnf" --json-schema "$work/schema"
echo 'root ::= (' >"$work/gbnf"
expect 3 "$run" "$m" -p x --grammar "$work/gbnf"
has "$work/err" 'gbnf: line 1, column 10: a group without'
echo '{"properties":{"a":{"not":{}}}}' >"$work/schema"
expect 3 "$run" "$m" -p x --json-schema "$work/schema"
has "$work/err" 'schema: #/properties/a: not is not supported'
echo '{' >"$work/schema"
expect 3 "$run" "$m" -p x --json-schema "$work/schema"
expect 1 "$run" "$m" -p x --json-schema "$work/none"
for wrong in '{}' '{"messages": [], "tools": {}}'; do
	echo "$wrong" >"$work/talk.json"
	expect 3 "$run" "$m" --messages "$work/talk.json"
	has "$work/err" 'talk.json: .*expected an array'
done

expect 1 "$run" "$work/none.mote" -p x
expect 3 "$run" "$work/question" -p x
"$build/mote-convert" tests/fixtures/adder -o "$work/vocab.mote" --vocab-only >/dev/null
expect 3 "$run" "$work/vocab.mote" -p x
has "$work/err" 'vocab-only'

finish
