#!/bin/sh
# Sessions on disk: a conversation goes on as it would have without them, from what was computed; files that are
# damaged, cut or of something else are refused by name.
. tests/script.sh
run=$build/mote-run m=$work/m.mote

ids() { sed 's/.*"ids":\[\([^]]*\)\],"prompt_ids":\[\([^]]*\)\].*/\1;\2/' "$1"; }
same() { if [ "$(ids "$1")" = "$(ids "$2")" ]; then ok; else bad "$1 and $2 differ"; ids "$1"; ids "$2"; fi; }

"$build/mote-convert" -q tests/fixtures/adder -o "$m" || exit 1
"$build/mote-quantize" -q "$m" -o "$work/q4.mote" --type q4 --encoder round --no-validate || exit 1

# The whole conversation in one, then the second question after a load, alone: the same ids, whatever the seed.
expect 0 "$run" "$m" -p 'What is 27 + 48?' --temp 0 --json --save-session "$work/s"
answer=$(sed 's/^{"text":"\([^"]*\)".*/\1/' "$work/out")
printf '[{"role":"user","content":"What is 27 + 48?"},{"role":"assistant","content":"%s"},{"role":"user","content":"What is 5 + 6?"}]' \
	"$answer" >"$work/whole.json"
for sampling in '--temp 0' '--temp 1.3 --seed 7'; do
	# shellcheck disable=SC2086
	expect 0 "$run" "$m" --messages "$work/whole.json" --json $sampling
	cp "$work/out" "$work/whole"
	for more in '-t 1' '-t 2' '-c 500'; do
		# shellcheck disable=SC2086
		expect 0 "$run" "$m" -p 'What is 5 + 6?' --load-session "$work/s" --json $sampling $more
		same "$work/whole" "$work/out"
	done
done
# What was computed is not computed again, and a conversation that went on can be saved over itself.
expect 0 "$run" "$m" -p 'What is 5 + 6?' --temp 0 --load-session "$work/s" --json --save-session "$work/s" --force
same "$work/out" "$work/out"
has "$work/out" '"prompt_computed":[1-4][0-9],'
expect 0 "$run" "$m" -p 'What is 1 + 2?' --temp 0 --load-session "$work/s"
# A conversation with tools keeps them.
printf '{"messages":[{"role":"user","content":"What is 1 + 2?"}],"tools":[{"type":"function","function":{"name":"f"}}]}' >"$work/tools.json"
expect 0 "$run" "$m" --messages "$work/tools.json" --save-session "$work/tools" -n 3
has "$work/tools" '"tools":\[{"type":"function"'

# A text.
expect 0 "$run" "$m" --raw -p 'The sum of' -n 6 --temp 0 --json --save-session "$work/text"
text=$(sed 's/^{"text":"\([^"]*\)".*/\1/' "$work/out")
printf '%s' "The sum of$text 3 and" >"$work/raw"
expect 0 "$run" "$m" --raw -f "$work/raw" --temp 0.8 --seed 3 -n 9 --json
cp "$work/out" "$work/whole"
expect 0 "$run" "$m" --raw -p ' 3 and' --temp 0.8 --seed 3 -n 9 --json --load-session "$work/text"
same "$work/whole" "$work/out"
expect 2 "$run" "$m" -p x --load-session "$work/text"
expect 2 "$run" "$m" --raw -p x --load-session "$work/s"
# Of what a text's answer says as a thought nothing is left out, its tags neither; what a stop text cut off is.
printf '<|im_start|>user\nWhat is 27 + 48?<|im_end|>\n<|im_start|>assistant\n\n' >"$work/turn"
expect 0 "$run" "$m" --raw -f "$work/turn" --temp 0 -n 31 --json --save-session "$work/thought"
before=$(ids "$work/out")
has "$work/thought" '<think>.nAdd 27 and 48'
expect 0 "$run" "$m" --raw -p ' ' --temp 0 -n 1 --json --load-session "$work/thought"
case $(ids "$work/out") in *";${before#*;},${before%;*},"*) ok ;; *) bad "the thought is another: $before" ;; esac
expect 0 "$run" "$m" --raw -f "$work/turn" --temp 0 --stop 'tens' --save-session "$work/stopped"
has "$work/stopped" 'carry 1.n"}'
expect 0 "$run" "$m" --raw -f "$work/turn" --temp 0 --stop '
' --save-session "$work/line"
has "$work/line" '<think>.nAdd 27 and 48."}'

# What is there already, or is read, is not replaced.
expect 2 "$run" "$m" -p x --save-session "$work/s"
has "$work/err" 'exists already (--force replaces it)'
expect 2 "$run" "$m" -p x --save-session "$m" --force
expect 2 "$run" "$m" -f "$work/raw" --raw --save-session "$work/raw" --force
expect 2 "$run" "$m" -p x -s y --load-session "$work/s"
expect 2 "$run" "$m" --messages "$work/whole.json" --load-session "$work/s"
expect 1 "$run" "$m" -p x --load-session "$work/none"
has "$work/err" 'none: No such file'
mkfifo "$work/fifo"
expect 2 "$run" "$m" -p x --load-session "$work/fifo"

# Of another model, of other keys, too long, or no session at all.
expect 3 "$run" "$work/q4.mote" -p x --load-session "$work/s"
has "$work/err" '/s: a sequence.s state of another model'
expect 3 "$run" "$m" -p x --load-session "$work/s" -ctk q8
has "$work/err" '/s: a sequence.s state with keys of type f16; this session.s are q8'
expect 2 "$run" "$m" -p x --load-session "$work/s" -c 20
expect 3 "$run" "$m" -p x --load-session "$work/s" -c 200
has "$work/err" '/s: a sequence.s state in pages of 256 positions; this session.s have 200'
# Keys that were turned by other frequencies are those of another context.
cp -r tests/fixtures/adder "$work/dynamic"
sed 's/"rope_scaling": null/"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}/' tests/fixtures/adder/config.json \
	>"$work/dynamic/config.json"
"$build/mote-convert" -q "$work/dynamic" -o "$work/dynamic.mote" || exit 1
expect 0 "$run" "$work/dynamic.mote" -p x -n 3 --save-session "$work/turned" -c 400
expect 0 "$run" "$work/dynamic.mote" -p x -n 3 --load-session "$work/turned" -c 512
expect 3 "$run" "$work/dynamic.mote" -p x -n 3 --load-session "$work/turned" -c 600
has "$work/err" '/turned: .* or of a context whose RoPE has other frequencies'
expect 3 "$run" "$m" -p x --load-session "$m"
has "$work/err" 'm.mote: not a session of mote-run'
: >"$work/empty"
expect 3 "$run" "$m" -p x --load-session "$work/empty"
# A conversation of 64 MiB is one, if it is there; a byte more is not.
cat >"$work/large.py" <<'END'
import ctypes, ctypes.util, struct, sys
xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
xxh3.argtypes, xxh3.restype = (ctypes.c_char_p, ctypes.c_size_t), ctypes.c_uint64
for name, size in ("most", 64 << 20), ("more", (64 << 20) + 1):
    header = b"MOTECHAT" + struct.pack("<QQQ", 1, size, 0)
    open(f"{sys.argv[1]}/{name}", "wb").write(header + struct.pack("<Q", xxh3(header, len(header))) + b"{}")
END
python3 "$work/large.py" "$work"
expect 3 "$run" "$m" -p x --load-session "$work/most"
has "$work/err" 'a session that ends too soon'
expect 3 "$run" "$m" -p x --load-session "$work/more"
has "$work/err" 'a conversation of 67108865 bytes; at most 64 MiB'
# Cut anywhere, longer, or with a byte changed in every part of it: refused by name.
cat >"$work/damage.py" <<'END'
import sys
data = open(sys.argv[1], "rb").read()
conversation = int.from_bytes(data[16:24], "little")
state = 40 + conversation
ids = state + 40
keys = ids + 4 * int.from_bytes(data[state + 16:state + 24], "little")
places = [0, 9, 17, 25, 33, 45, state, state + 9, state + 17, state + 25, state + 33, ids + 1, keys, keys + 9, keys + 17, keys + 33, keys + 50,
          keys + 81, keys + 100, (keys + len(data)) // 2, len(data) - 17, len(data) - 1]
for i, at in enumerate(places):
    open(f"{sys.argv[2]}/flip{i}", "wb").write(data[:at] + bytes([data[at] ^ 4]) + data[at + 1:])
    open(f"{sys.argv[2]}/cut{i}", "wb").write(data[:at])
open(f"{sys.argv[2]}/long", "wb").write(data + b"x")
END
python3 "$work/damage.py" "$work/s" "$work"
for file in "$work"/flip* "$work"/cut* "$work/long"; do
	"$run" "$m" -p x -n 1 --load-session "$file" >"$work/out" 2>"$work/err"
	code=$?
	if [ $code -eq 3 ] && grep -q "^mote-run: $file: " "$work/err" && [ ! -s "$work/out" ]; then ok; else
		bad "${file##*/}: exit code $code"
		cat "$work/err"
	fi
done

finish
