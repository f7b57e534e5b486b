#!/bin/sh
# A model with huge weights: no token is chosen from what is not finite, and --check of mote-run says where it begins.
. tests/script.sh
cp -r tests/fixtures/adder "$work/large"
python3 - "$work/large/model.safetensors" model.layers.1.mlp.up_proj.weight <<'EOF' || exit 1
import json, struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
header = struct.unpack_from("<Q", data)[0]
tensor = json.loads(data[8:8 + header])[sys.argv[2]]
begin, end = (8 + header + at for at in tensor["data_offsets"])
large = {"BF16": b"\x7f\x7f", "F32": b"\xff\xff\x7f\x7f"}[tensor["dtype"]]  # 3.4e38
data[begin:end] = large * ((end - begin) // len(large))
open(sys.argv[1], "wb").write(data)
EOF
expect 0 "$build/mote-convert" "$work/large" -o "$work/large.mote" -q
expect 0 "$build/mote-convert" tests/fixtures/adder -o "$work/m.mote" -q
for options in '--temp 0' '--seed 1' '--temp 0 --json'; do
	# shellcheck disable=SC2086
	expect 3 "$build/mote-run" "$work/large.mote" -p "What is 1 + 2?" -n 4 -t 2 $options
	has "$work/err" 'the logit of token [0-9]* is -*\(nan\|inf\): no token can be chosen'
	if [ -s "$work/out" ]; then bad "an answer was begun"; cat "$work/out"; else ok; fi
done
expect 3 "$build/mote-run" "$work/large.mote" -p "What is 1 + 2?" -n 4 -t 2 --check
has "$work/err" 'layer 1, model.layers.1.mlp.up_proj.weight: at position [0-9]* something becomes'
expect 3 "$build/mote-perplexity" "$work/large.mote" -f tests/fixtures/adder/heldout.txt -c 32 --chunks 1 -t 2
if grep -q '[0-9]' "$work/out"; then bad "a figure came out"; cat "$work/out"; else ok; fi
# Nor does the server make an embedding or log-probabilities of it.
if [ -x "$build/mote-serve" ]; then
	"$build/mote-serve" "$work/large.mote" --port 0 -t 2 2>"$work/err" &
	server=$!
	python3 - "$work/err" <<'EOF'
import re, sys, time, urllib.error, urllib.request
for _ in range(600):
    port = re.search(r":(\d+)$", open(sys.argv[1]).read(), re.M)
    if port:
        break
    time.sleep(0.1)
scores = b'{"prompt":"What is 1 + 2?","echo":true,"logprobs":2,"max_tokens":%d}'
for route, body, words in [("embeddings", b'{"input":"What is 1 + 2?"}', b"no embedding can be made"),
                           ("completions", scores % 0, b"position 0 of the prompt: the logit of token "),
                           ("completions", scores % 1, b"position 0 of the prompt: the logit of token ")]:
    try:
        urllib.request.urlopen("http://127.0.0.1:%s/v1/%s" % (port.group(1), route), body)
        sys.exit("%s: an answer" % route)
    except urllib.error.HTTPError as e:
        text = e.read()
        if e.code != 500 or words not in text:
            sys.exit("%s: status %d: %s" % (route, e.code, text))
EOF
	if [ $? -eq 0 ]; then ok; else bad "what is not finite was served"; fi
	kill "$server"
	wait "$server"
fi
# A sound model says the same with and without.
expect 0 "$build/mote-run" "$work/m.mote" -p "What is 1 + 2?" --temp 0 -t 2
cp "$work/out" "$work/plain"
expect 0 "$build/mote-run" "$work/m.mote" -p "What is 1 + 2?" --temp 0 -t 2 --check
if cmp -s "$work/out" "$work/plain"; then ok; else bad "--check says something else"; cat "$work/out"; fi

finish
