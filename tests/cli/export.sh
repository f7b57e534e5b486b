#!/bin/sh
# mote-convert from a file of mote's: to GGUF and to a directory, and back.
. tests/script.sh
dir=$work
convert=$MOTE_BUILD/mote-convert inspect=$MOTE_BUILD/mote-inspect
model=tests/fixtures/adder

run() { # the exit code goes to $code, the streams to files
	"$@" >"$dir/stdout" 2>"$dir/stderr"
	code=$?
}
tensors() { "$inspect" --json "$1" | grep -o '"tensors_hash":"[0-9a-f]*"'; }

"$convert" -q "$model" -o "$dir/m.mote" || exit 1
run "$convert" "$dir/m.mote" -o "$dir/m.gguf"
check "to GGUF" test "$code" -eq 0
check "says what it wrote" grep -q 'm.gguf: 38 tensors' "$dir/stderr"
check "begins with GGUF" test "$(head -c 4 "$dir/m.gguf")" = GGUF
run "$convert" "$dir/m.gguf" -o "$dir/back.mote"
check "and back" test "$code" -eq 0
check "the same tensors" test "$(tensors "$dir/m.mote")" = "$(tensors "$dir/back.mote")"
run "$convert" "$dir/m.mote" -o "$dir/hf/"
check "to a directory" test "$code" -eq 0 -a -s "$dir/hf/model.safetensors"
run "$convert" "$dir/hf" -o "$dir/again.mote"
check "and back" test "$code" -eq 0
check "the same tensors" test "$(tensors "$dir/m.mote")" = "$(tensors "$dir/again.mote")"
check "the fixture's own weights" sh -c "tail -c 1000 '$model/model.safetensors' | cmp -s - '$dir/tail'" <<-END
	$(tail -c 1000 "$dir/hf/model.safetensors" >"$dir/tail")
END
head -c 20000 "$model/heldout.txt" >"$dir/text"
for file in back again; do
	"$MOTE_BUILD/mote-tokenize" "$dir/m.mote" -f "$dir/text" >"$dir/ids1"
	"$MOTE_BUILD/mote-tokenize" "$dir/$file.mote" -f "$dir/text" >"$dir/ids2"
	check "$file: the same ids" cmp -s "$dir/ids1" "$dir/ids2"
	"$inspect" --template "$dir/m.mote" >"$dir/t1"
	"$inspect" --template "$dir/$file.mote" >"$dir/t2"
	check "$file: the same template" cmp -s "$dir/t1" "$dir/t2"
done
run "$convert" "$dir/back.mote" -o "$dir/backhf/"
check "the same tokenizer from GGUF: added tokens that the vocabulary has" \
	cmp -s "$dir/hf/tokenizer.json" "$dir/backhf/tokenizer.json"
run "$MOTE_BUILD/mote-perplexity" "$dir/back.mote" --reference "$dir/m.mote" -f "$dir/text" --chunks 1
check "and so one measured against the other" test "$code" -eq 0

run "$convert" "$dir/m.mote" -o "$dir/m.gguf"
check "does not overwrite a file" test "$code" -eq 2
run "$convert" "$dir/m.mote" -o "$dir/hf/"
check "does not overwrite a directory's files" test "$code" -eq 2
cp "$dir/m.gguf" "$dir/first.gguf"
run "$convert" -f --json "$dir/m.mote" -o "$dir/m.gguf"
check "-f, and one JSON object" test "$code" -eq 0 -a "$(wc -l <"$dir/stdout")" -eq 1
check "the same bytes" cmp -s "$dir/m.gguf" "$dir/first.gguf"
run "$convert" "$dir/m.mote" -o "$dir/other"
check "another target is wrong usage" test "$code" -eq 2
check "and says what is right" grep -q 'FILE.gguf or -o DIR/' "$dir/stderr"
run "$convert" "$model" -o "$dir/other.gguf"
check "a directory is converted first" test "$code" -eq 2

"$MOTE_BUILD/mote-quantize" -q "$dir/m.mote" -o "$dir/q.mote" --type q6 || exit 1
run "$convert" "$dir/q.mote" -o "$dir/q.gguf"
check "quantized, to GGUF" test "$code" -eq 0
check "a type that GGUF has not is said" grep -q 'written as Q8_0' "$dir/stderr"
run "$convert" "$dir/q.mote" -o "$dir/qhf/" --dtype bf16
check "quantized, to a directory" test "$code" -eq 0
check "as bf16" grep -qaF '"dtype":"BF16","shape":[506,128]' "$dir/qhf/model.safetensors"
for encoder in round weighted learned gptq; do
	"$MOTE_BUILD/mote-quantize" -q -f "$dir/m.mote" -o "$dir/q.mote" --type q4 --for gguf --encoder $encoder \
		--no-validate || exit 1
	run "$convert" -f "$dir/q.mote" -o "$dir/q.gguf"
	check "--for gguf, $encoder" test "$code" -eq 0
	check "needs no other type" sh -c "! grep -q 'does not have' '$dir/stderr'"
done
run "$MOTE_BUILD/mote-quantize" "$dir/m.mote" -o "$dir/no.mote" --type q6 --for gguf
check "--for gguf refuses what GGUF has not" test "$code" -eq 2
run "$MOTE_BUILD/mote-quantize" "$dir/m.mote" -o "$dir/no.mote" --bits 5 --for gguf
check "--for gguf goes with --type" test "$code" -eq 2
"$convert" -q --vocab-only "$model" -o "$dir/v.mote" || exit 1
run "$convert" "$dir/v.mote" -o "$dir/v.gguf"
check "without a model: refused" test "$code" -eq 3
check "and nothing written" test ! -e "$dir/v.gguf"

printf '\001' | dd of="$dir/m.mote" bs=1 seek=5000 conv=notrunc 2>/dev/null
for target in "$dir/x.gguf" "$dir/x/"; do
	run "$convert" "$dir/m.mote" -o "$target"
	check "damaged: refused" test "$code" -eq 3
	check "by name" grep -q 'model.embed_tokens.weight' "$dir/stderr"
	check "and nothing written" test ! -e "$target"
done

finish
