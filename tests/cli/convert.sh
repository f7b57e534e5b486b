#!/bin/sh
# mote-convert as a user meets it: arguments, exit codes, streams, the files it leaves, interruption.
. tests/script.sh
dir=$work
convert=$MOTE_BUILD/mote-convert inspect=$MOTE_BUILD/mote-inspect
model=tests/fixtures/adder
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
mkdir "$dir/out"

run() { # the exit code goes to $code, the streams to files
	"$@" >"$dir/stdout" 2>"$dir/stderr"
	code=$?
}
empty() { [ -z "$(ls -A "$1")" ]; }

run "$convert" --help
check "help goes to standard output" test "$code" -eq 0 -a -s "$dir/stdout" -a ! -s "$dir/stderr"
run "$convert" --version
check "version" grep -qx 'mote-convert [0-9.]*' "$dir/stdout"

for arguments in "" "$model" "-o $dir/out/a.mote" "$model $model -o $dir/out/a.mote" \
	"--dtype q8 $model -o $dir/out/a.mote" \
	"--dtype f8 $model -o $dir/out/a.mote" "-t 0 $model -o $dir/out/a.mote" "-t x $model -o $dir/out/a.mote" \
	"--nonsense $model -o $dir/out/a.mote" "$model -o -"; do
	run "$convert" $arguments
	check "usage error: $arguments" test "$code" -eq 2 -a ! -s "$dir/stdout" -a -s "$dir/stderr"
done
check "usage errors leave nothing" empty "$dir/out"

# what is no number behind the last colon belongs to the folder's name
for adapter in none none:0.5 none:-2e3 none:x none:1x none: no:ne:1; do
	run "$convert" --lora "$dir/$adapter" "$model" -o "$dir/out/a.mote"
	case $adapter in none:0.5 | none:-2e3 | no:ne:1) name=${adapter%:*} ;; *) name=$adapter ;; esac
	check "--lora $adapter: names the folder that is not there" test "$code" -eq 1 -a "$(cat "$dir/stderr")" = \
		"mote-convert: $dir/$name: $dir/$name: No such file or directory"
done
check "an adapter that is not there leaves nothing" empty "$dir/out"

run "$convert" owner/name -o "$dir/out/a.mote"
check "a model's name on a hub" grep -q 'owner/name: No such file or directory (nothing is fetched' "$dir/stderr"
run "$convert" "$model" -o "$dir/out/a.mote"
check "converts" test "$code" -eq 0 -a ! -s "$dir/stdout"
check "says what it wrote" grep -q 'a.mote: 38 tensors' "$dir/stderr"
check "no progress bar without a terminal" sh -c "! grep -q '\[#' '$dir/stderr'"
check "leaves one file" test "$(ls -A "$dir/out")" = a.mote
check "checksums hold" "$inspect" --verify "$dir/out/a.mote" >/dev/null

run "$convert" "$model" -o "$dir/out/a.mote"
check "does not overwrite" test "$code" -eq 2
run "$convert" -t 1 -q --force "$model" -o "$dir/out/b.mote"
check "quiet says nothing" test "$code" -eq 0 -a ! -s "$dir/stderr"
check "same bytes with one thread" cmp -s "$dir/out/a.mote" "$dir/out/b.mote"
run "$convert" --json --force "$model" -o "$dir/out/b.mote"
check "json: one object" test "$code" -eq 0 -a "$(wc -l <"$dir/stdout")" -eq 1
check "json: tensors" grep -q '"tensors":38' "$dir/stdout"
check "same bytes again" cmp -s "$dir/out/a.mote" "$dir/out/b.mote"

for dtype in f32 f16 bf16; do
	run "$convert" --dtype "$dtype" --force "$model" -o "$dir/out/b.mote"
	check "--dtype $dtype" test "$code" -eq 0
	"$inspect" --json "$dir/out/b.mote" >"$dir/json"
	check "--dtype $dtype: no other type but norms" test "$(grep -o '"type":"[a-z0-9]*"' "$dir/json" | sort -u | tr '\n' ' ')" = \
		"$({ echo '"type":"default"'; echo '"type":"f32"'; echo "\"type\":\"$dtype\""; } | sort -u | tr '\n' ' ')"
done

run "$convert" --vocab-only "$model" -o "$dir/out/v.mote"
check "--vocab-only" test "$code" -eq 0
check "--vocab-only holds no tensors" grep -q '"tensors":\[\]' <<-END
	$("$inspect" --json "$dir/out/v.mote")
END

mkdir "$dir/broken"
cp "$model/tokenizer.json" "$dir/broken"
printf '{%% if %%}' >"$dir/broken/chat_template.jinja"
run "$convert" --vocab-only -q "$dir/broken" -o "$dir/out/t.mote"
check "a template that does not parse is only warned of" test "$code" -eq 0
check "says where it does not parse" grep -q 'chat template "default": line 1, column 7' "$dir/stderr"

# A checkpoint large enough to be interrupted: zeros in a sparse file.
big=$dir/big
mkdir "$big"
cp "$model/tokenizer.json" "$big"
cat >"$big/config.json" <<'END'
{"architectures":["LlamaForCausalLM"],"hidden_size":4096,"num_hidden_layers":1,"num_attention_heads":32,
"intermediate_size":4096,"vocab_size":500000,"tie_word_embeddings":true}
END
header='{"model.embed_tokens.weight":{"dtype":"BF16","shape":[500000,4096],"data_offsets":[0,4096000000]}'
at=4096000000
add() { # NAME SHAPE BYTES
	header="$header,\"$1.weight\":{\"dtype\":\"BF16\",\"shape\":[$2],\"data_offsets\":[$at,$((at + $3))]}"
	at=$((at + $3))
}
for name in input_layernorm post_attention_layernorm; do add "model.layers.0.$name" 4096 8192; done
for name in self_attn.q_proj self_attn.k_proj self_attn.v_proj self_attn.o_proj mlp.gate_proj mlp.up_proj mlp.down_proj; do
	add "model.layers.0.$name" 4096,4096 33554432
done
add model.norm 4096 8192
header="$header}"
while [ $((${#header} % 256)) -ne 16 ]; do header="$header "; done # so that the length needs no printf tricks: NN10 hex
printf "\\020\\$(printf %03o $((${#header} / 256)))\\0\\0\\0\\0\\0\\0%s" "$header" >"$big/model.safetensors"
truncate -s $((8 + ${#header} + at)) "$big/model.safetensors"
mkdir "$dir/interrupted"
for signal in INT TERM; do
	"$convert" "$big" -o "$dir/interrupted/m.mote" 2>"$dir/stderr" &
	child=$!
	tries=0
	# the output has no name before it is whole, but the process has it open
	while ! ls -l "/proc/$child/fd" 2>/dev/null | grep -q /interrupted/ && [ "$tries" -lt 200 ]; do
		tries=$((tries + 1))
		sleep 0.02
	done
	kill -s "$signal" "$child"
	wait "$child"
	code=$?
	check "SIG$signal: exit code 130, found $code: $(cat "$dir/stderr")" test "$code" -eq 130
	check "SIG$signal leaves nothing" empty "$dir/interrupted"
done

finish
