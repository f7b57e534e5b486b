#!/bin/sh
# mote-inspect on real containers: what it prints agrees with a reader written from the format's document alone,
# and whatever is damaged is refused with exit code 3.
. tests/script.sh
inspect=$build/mote-inspect

fixture=tests/fixtures/adder
"$build/mote-convert" "$fixture" -o "$work/bf16.mote" || exit 1
for type in q8 q6 q5 q4 q3 q8b q6b q5b q4b q3b f16; do
	"$build/mote-quantize" "$work/bf16.mote" -o "$work/$type.mote" --type $type --encoder search --no-validate \
		>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
done
"$build/mote-convert" "$fixture" -o "$work/vocab.mote" --vocab-only || exit 1

for type in bf16 q8 q6 q5 q4 q3 q4b q3b f16 vocab; do
	expect 0 "$inspect" --verify "$work/$type.mote"
	expect 0 "$inspect" --json --verify "$work/$type.mote"
done
expect 0 "$inspect" --help
expect 0 "$inspect" --version
expect 2 "$inspect"
expect 2 "$inspect" --none
expect 2 "$inspect" --json --template "$work/q4.mote"
expect 2 "$inspect" --dump none "$work/q4.mote"
expect 2 "$inspect" --template=none "$work/q4.mote"
expect 1 "$inspect" "$work/none.mote"
expect 1 "$inspect" "$work"
if [ -c /dev/full ]; then
	"$inspect" --json "$work/q4.mote" >/dev/full 2>/dev/null
	[ $? -eq 1 ] && ok || bad "a full disk is not noticed"
fi
"$inspect" --template "$work/q4.mote" >"$work/template"
cmp -s "$work/template" "$fixture/chat_template.jinja" && ok || bad "--template differs from the checkpoint's"

# Damage. The unit tests do every length and byte in memory; here a few pass through the whole tool.
size=$(wc -c <"$work/vocab.mote")
for cut in 0 1 63 64 4095 4096 4097 $((size / 2)) $((size - 49)) $((size - 1)); do
	head -c "$cut" "$work/vocab.mote" >"$work/damaged.mote"
	expect 3 "$inspect" "$work/damaged.mote"
done
at=0
while [ $at -lt 64 ]; do
	{ head -c $at "$work/vocab.mote"
	  tail -c +$((at + 1)) "$work/vocab.mote" | head -c 1 | LC_ALL=C tr '\000-\377' '\001-\377\000'
	  tail -c +$((at + 2)) "$work/vocab.mote"; } >"$work/damaged.mote"
	expect 3 "$inspect" "$work/damaged.mote"
	at=$((at + 1))
done
{ cat "$work/vocab.mote"; printf x; } >"$work/damaged.mote"
expect 3 "$inspect" "$work/damaged.mote"
{ head -c 5000 "$work/q4.mote"; printf '\001\002\003'; tail -c +5004 "$work/q4.mote"; } >"$work/damaged.mote"
expect 0 "$inspect" "$work/damaged.mote" # tensor data: opening does not read it,
expect 3 "$inspect" --verify "$work/damaged.mote"

# The second reader.
if command -v python3 >/dev/null; then
	for type in bf16 q8 q6 q5 q4 q3 q8b q6b q5b q4b q3b f16; do
		for tensor in model.norm.weight model.layers.0.self_attn.k_proj.weight model.layers.1.mlp.down_proj.weight; do
			"$inspect" --dump "$tensor" "$work/$type.mote" >"$work/ours" &&
				python3 tests/cli/container_reader.py "$work/$type.mote" "$tensor" >"$work/theirs" &&
				[ -s "$work/ours" ] && cmp -s "$work/ours" "$work/theirs" && ok ||
				bad "$type $tensor: readers differ"
		done
		python3 tests/cli/container_reader.py "$work/$type.mote" >"$work/theirs"
		"$inspect" --json "$work/$type.mote" | python3 -c '
import json, sys
for t in json.load(sys.stdin)["tensors"]:
    shape = t["shape"]
    print(t["name"], t["type"], len(shape), *(shape + [1])[:2], t["bytes"])' >"$work/ours"
		[ -s "$work/ours" ] && cmp -s "$work/ours" "$work/theirs" && ok || bad "$type: directories differ"
	done
else
	echo "no python3: the second reader was not compared"
fi
finish
